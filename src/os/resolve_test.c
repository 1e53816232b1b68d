/* Names: asked for on another thread, told from the loop, tried in turn. The system's resolver is
 * replaced by one that knows three names. */
#include "os/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/test.h"
#include "os/simulation.h"
#include "os/stream.h"

/* ---- the resolver ---- */

static struct addrinfo *found(uint32_t host, const char *port, struct addrinfo *next) {
    struct {
        struct addrinfo info;
        struct sockaddr_in address;
    } *made = calloc(1, sizeof *made);
    made->address = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)atoi(port)),
        .sin_addr.s_addr = htonl(host),
    };
    made->info = (struct addrinfo){
        .ai_family = AF_INET,
        .ai_socktype = SOCK_STREAM,
        .ai_addrlen = sizeof made->address,
        .ai_addr = (struct sockaddr *)&made->address,
        .ai_next = next,
    };
    return &made->info;
}

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                struct addrinfo **ret) {
    (void)hints;
    if (strcmp(host, "two.test") == 0)
        *ret = found(INADDR_LOOPBACK + 1, port, found(INADDR_LOOPBACK, port, NULL));
    else if (strcmp(host, "127.0.0.1") == 0)
        *ret = found(INADDR_LOOPBACK, port, NULL);
    else
        return strcmp(host, "later.test") == 0 ? EAI_AGAIN : EAI_NONAME;
    return 0;
}

void freeaddrinfo(struct addrinfo *info) {
    while (info) {
        struct addrinfo *next = info->ai_next;
        free(info);
        info = next;
    }
}

/* ---- what is asked ---- */

typedef struct Answer {
    int calls, error;
    size_t count;
    Address found[4];
} Answer;

static void on_done(void *owner, int error, const Address *addresses, size_t count) {
    Answer *answer = owner;
    answer->calls++;
    answer->error = error;
    answer->count = count;
    assert_true(count <= 4);
    for (size_t i = 0; i < count; i++)
        answer->found[i] = addresses[i];
}

static Answer ask(World *world, const char *text) {
    Answer answer = {0};
    Address address;
    assert_true(address_parse(span_of(text), &address));
    resolve_start(world, &address, on_done, &answer);
    assert_int_equal(answer.calls, 0);
    world_run(world);
    assert_int_equal(answer.calls, 1);
    return answer;
}

static void expect_itself(World *world, const char *text) {
    char back[ADDRESS_MAX];
    Answer answer = ask(world, text);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.count, 1);
    address_format(&answer.found[0], back, sizeof back);
    assert_string_equal(back, text);
}

static void names_become_addresses(void **state) {
    (void)state;
    World *world = world_new();
    Answer answer = ask(world, "two.test:81");
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.count, 2);
    assert_string_equal(answer.found[0].host, "127.0.0.2");
    assert_string_equal(answer.found[1].host, "127.0.0.1");
    assert_int_equal(answer.found[1].port, 81);
    answer = ask(world, "none.test:81");
    assert_int_equal(answer.error, -ENXIO);
    assert_int_equal(answer.count, 0);
    assert_int_equal(ask(world, "later.test:81").error, -EAGAIN);
    expect_itself(world, "127.0.0.9:1");
    expect_itself(world, "[::1]:1");
    expect_itself(world, "unix:/x");
    world_free(world);

    Simulation *simulation = simulation_new(&(SimulationOptions){.seed = 1});
    expect_itself(simulation_world(simulation), "two.test:81");
    simulation_free(simulation);
}

static void questions_are_cancelled(void **state) {
    (void)state;
    static const char *const texts[] = {"two.test:81", "127.0.0.1:81"};
    World *world = world_new();
    Answer answer = {0};
    for (size_t i = 0; i < 2; i++) {
        Address address;
        assert_true(address_parse(span_of(texts[i]), &address));
        resolve_cancel(resolve_start(world, &address, on_done, &answer));
    }
    world_run(world);
    assert_int_equal(answer.calls, 0);
    world_free(world);
}

/* ---- connecting ---- */

typedef struct Caller {
    World *world;
    Stream *stream;
    Listener *listener;
    char peer[ADDRESS_MAX];
    int error;
} Caller;

static void on_accept(void *owner, Stream *stream) {
    (void)owner;
    stream_close(stream, 0);
}

static void on_connected(void *owner) {
    Caller *caller = owner;
    Span peer = stream_peer(caller->stream, caller->peer, sizeof caller->peer);
    assert_true(peer.len > 0);
    stream_close(caller->stream, 0);
}

static void on_closed(void *owner, int error) {
    Caller *caller = owner;
    caller->error = error;
    listener_close(caller->listener);
    caller->listener = NULL;
}

static const StreamHandler HANDLER = {.connected = on_connected, .closed = on_closed};

static void addresses_are_tried_in_turn(void **state) {
    (void)state;
    for (int listening = 0; listening < 2; listening++) {
        Caller caller = {.world = world_new()};
        char expected[ADDRESS_MAX];
        Address address = {.kind = ADDRESS_TCP, .host = "127.0.0.1"};
        assert_int_equal(listener_open(caller.world, &address, on_accept, NULL, &caller.listener),
                         0);
        listener_address(caller.listener, &address);
        address_format(&address, expected, sizeof expected);
        if (!listening) {
            listener_close(caller.listener);
            caller.listener = NULL;
        }
        strcpy(address.host, "two.test"); /* nobody listens at the first of its addresses */
        assert_int_equal(stream_connect(caller.world, &address, &HANDLER, &caller, &caller.stream),
                         0);
        world_run(caller.world);
        assert_int_equal(caller.error, listening ? 0 : -ECONNREFUSED);
        assert_string_equal(caller.peer, listening ? expected : "");
        world_free(caller.world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_addresses),
        cmocka_unit_test(questions_are_cancelled),
        cmocka_unit_test(addresses_are_tried_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
