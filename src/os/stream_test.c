/* What stream.h promises, of every kind of stream there is: TCP, unix sockets and socket pairs in
 * the real world, and connections of a simulation. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/test.h"
#include "os/simulation.h"
#include "os/stream.h"

typedef enum Kind { TCP, UNIX, PAIR, SIMULATED, SIMULATED_PAIR, KINDS } Kind;

/* One end of a connection, noting what it is told. */
typedef struct End {
    Stream *stream;
    void (*on_read)(struct End *end, Span bytes);
    void (*on_end)(struct End *end);
    void (*on_writable)(struct End *end);
    void (*on_connected)(struct End *end);
    Buf got;
    int connected, ended, writable, closed;
    int error;
    struct Net *net;
} End;

/* A client and a server connected to each other, both run by running `world`. */
typedef struct Net {
    Simulation *simulation;
    World *world, *client_world;
    Kind kind;
    Listener *listener;
    Address address;
    void (*accept)(void *net, Stream *stream); /* NULL: on_accept */
    End client, server;
    Timer close_listener;
    int accepted;
    uint64_t random;
    size_t total, written;
} Net;

static char directory[] = "/tmp/muster-stream-XXXXXX";

static uint64_t choose(Net *net, uint64_t bound) {
    net->random = net->random * 6364136223846793005u + 1442695040888963407u;
    return (net->random >> 33) % bound;
}

static void on_connected(void *owner) {
    End *end = owner;
    assert_int_equal(end->closed, 0);
    end->connected++;
    if (end->on_connected)
        end->on_connected(end);
}

static void on_read(void *owner, Span bytes) {
    End *end = owner;
    assert_int_equal(end->closed + end->ended, 0);
    assert_in_range(bytes.len, 1, STREAM_PIECE);
    if (end->on_read)
        end->on_read(end, bytes);
    else
        buf_add(&end->got, bytes);
}

static void on_end(void *owner) {
    End *end = owner;
    assert_int_equal(end->closed + end->ended, 0);
    end->ended++;
    if (end->on_end)
        end->on_end(end);
}

static void on_writable(void *owner) {
    End *end = owner;
    assert_int_equal(end->closed, 0);
    assert_true(stream_pending(end->stream) <= STREAM_LOW);
    end->writable++;
    if (end->on_writable)
        end->on_writable(end);
}

static void on_closed(void *owner, int error) {
    End *end = owner;
    assert_int_equal(end->closed, 0);
    end->closed++;
    end->error = error;
    end->stream = NULL;
    if (end->net->listener && end->net->client.closed && end->net->server.closed) {
        listener_close(end->net->listener);
        end->net->listener = NULL;
    }
}

static const StreamHandler HANDLER = {on_connected, on_read, on_end, on_writable, on_closed};

static void on_accept(void *owner, Stream *stream) {
    Net *net = owner;
    net->accepted++;
    net->server.stream = stream;
    stream_handle(stream, &HANDLER, &net->server);
    stream_read_start(stream);
}

static void net_listen(Net *net) {
    char text[ADDRESS_MAX] = "127.0.0.1:0";
    if (net->kind == UNIX)
        snprintf(text, sizeof text, "unix:%s/socket", directory);
    assert_true(address_parse(span_of(text), &net->address));
    assert_int_equal(listener_open(net->world, &net->address, net->accept ? net->accept : on_accept,
                                   net, &net->listener),
                     0);
    listener_address(net->listener, &net->address);
}

static void net_connect(Net *net) {
    assert_int_equal(stream_connect(net->client_world, &net->address, &HANDLER, &net->client,
                                    &net->client.stream),
                     0);
    stream_read_start(net->client.stream);
    assert_int_equal(net->client.connected + net->client.closed, 0);
}

static void net_pair(Net *net) {
    Stream *ends[2];
    assert_int_equal(stream_pair(net->client_world, ends), 0);
    net->client.stream = ends[0];
    stream_handle(ends[0], &HANDLER, &net->client);
    stream_read_start(ends[0]);
    on_accept(net, ends[1]);
}

static void net_world(Net *net, Kind kind) {
    *net = (Net){.kind = kind, .random = kind + 1};
    net->client.net = net->server.net = net;
    if (kind < SIMULATED) {
        net->world = net->client_world = world_new();
    } else {
        net->simulation = simulation_new(&(SimulationOptions){
            .seed = 1, .delay_max = 3 * NANOS_PER_MILLI, .piece_max = 5000, .window = 10000});
        net->world = simulation_world(net->simulation);
        net->client_world = simulation_world(net->simulation);
    }
}

static bool is_pair(Kind kind) {
    return kind == PAIR || kind == SIMULATED_PAIR;
}

/* Opens both ends; the first turns connect them. */
static void net_connected(Net *net) {
    if (is_pair(net->kind)) {
        net_pair(net);
    } else {
        net_listen(net);
        net_connect(net);
    }
}

static void net_open(Net *net, Kind kind) {
    net_world(net, kind);
    net_connected(net);
}

static void close_listener(Timer *timer) {
    Net *net = CONTAINER(timer, Net, close_listener);
    listener_close(net->listener);
    net->listener = NULL;
}

/* Where the server's end may never come to be. */
static void close_listener_soon(Net *net) {
    net->close_listener.fire = close_listener;
    if (net->listener)
        wheel_arm(world_wheel(net->world), &net->close_listener,
                  world_now(net->world) + 20 * NANOS_PER_MILLI);
}

static void net_done(Net *net) {
    listener_close(net->listener);
    if (net->client_world || net->simulation)
        world_free(net->world);
    if (net->simulation)
        simulation_free(net->simulation); /* with the client's world */
    assert_null(net->client.stream);
    assert_null(net->server.stream);
    buf_done(&net->client.got);
    buf_done(&net->server.got);
}

/* Runs until both ends are closed. */
static void net_run(Net *net) {
    world_run(net->world);
    assert_int_equal(net->client.closed, 1);
    assert_int_equal(net->server.closed, 1);
}

#define EACH_KIND(net)                                                                             \
    for (Kind kind = 0; kind < KINDS && (net_open(&net, kind), true); net_done(&net), kind++)

/* ---- bytes ---- */

static char pattern(size_t at) {
    return (char)(at * 2654435761u >> 13);
}

static void expect_pattern(Span bytes, size_t from) {
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.ptr[i] != pattern(from + i))
            fail_msg("byte %zu is wrong", from + i);
}

/* Writes pieces of random size until much is pending or all is written; then finishes. */
static void write_some(End *end) {
    Net *net = end->net;
    char piece[20000];
    while (net->written < net->total && stream_pending(end->stream) <= STREAM_LOW) {
        size_t size = choose(net, choose(net, 4) ? 200 : sizeof piece);
        if (size > net->total - net->written)
            size = net->total - net->written;
        for (size_t i = 0; i < size; i++)
            piece[i] = pattern(net->written + i);
        stream_write(end->stream, span(piece, size));
        net->written += size;
    }
    if (net->written == net->total)
        stream_finish(end->stream);
}

static void echo(End *end, Span bytes) {
    stream_write(end->stream, bytes);
}

static void finish(End *end) {
    stream_finish(end->stream);
}

static void echoes_come_back_whole(void **state) {
    (void)state;
    Net net;
    EACH_KIND(net) {
        net.total = 3000000;
        net.client.on_writable = write_some;
        net.server.on_read = echo;
        net.server.on_end = finish;
        write_some(&net.client);
        net_run(&net);
        assert_int_equal(net.client.error, 0);
        assert_int_equal(net.server.error, 0);
        assert_int_equal(net.client.connected, !is_pair(kind));
        assert_int_equal(net.client.ended, 1);
        assert_int_equal(net.server.ended, 1);
        assert_int_equal(net.client.got.len, net.total);
        expect_pattern(buf_span(&net.client.got), 0);
    }
}

static void expect_echo(Net *net) {
    net->total = 20000;
    net->client.on_writable = write_some;
    net->server.on_read = echo;
    net->server.on_end = finish;
    write_some(&net->client);
    net_run(net);
    assert_int_equal(net->client.got.len, net->total);
}

/* ---- back-pressure ---- */

typedef struct Later {
    Timer timer;
    Net *net;
    size_t written;
} Later;

static void later(Later *wait, Net *net, Nanos delay, void (*fire)(Timer *timer)) {
    *wait = (Later){.timer.fire = fire, .net = net};
    wheel_arm(world_wheel(net->world), &wait->timer, world_now(net->world) + delay);
}

static void check_pattern(End *end, Span bytes) {
    expect_pattern(bytes, end->got.len);
    end->got.len += bytes.len; /* counts only */
}

static void start_reading(Timer *timer) {
    Later *wait = CONTAINER(timer, Later, timer);
    Net *net = wait->net;
    wait->written = net->written;
    assert_true(net->written > STREAM_LOW && net->written < net->total);
    assert_in_range(stream_pending(net->client.stream), STREAM_LOW + 1, STREAM_LOW + 20000);
    assert_int_equal(net->server.got.len, 0);
    stream_read_start(net->server.stream);
}

static void accept_without_reading(void *owner, Stream *stream) {
    on_accept(owner, stream);
    stream_read_stop(stream);
}

static void writers_wait_for_readers(void **state) {
    (void)state;
    for (Kind kind = 0; kind < KINDS; kind++) {
        Net net;
        Later wait;
        net_world(&net, kind);
        net.total = 20000000;
        net.accept = accept_without_reading;
        net_connected(&net);
        if (net.server.stream)
            stream_read_stop(net.server.stream);
        net.client.on_writable = write_some;
        net.server.on_read = check_pattern;
        net.server.on_end = finish;
        write_some(&net.client);
        later(&wait, &net, 100 * NANOS_PER_MILLI, start_reading);
        net_run(&net);
        assert_true(wait.written > 0);
        assert_true(net.client.writable > 0);
        assert_int_equal(net.server.got.len, net.total);
        net_done(&net);
    }
}

static void writes_of_a_turn_leave_together(void **state) {
    (void)state;
    Net net;
    net_open(&net, PAIR);
    for (int i = 0; i < 100; i++)
        stream_write(net.client.stream, SPAN("twelve bytes"));
    assert_int_equal(stream_pending(net.client.stream), 1200);
    stream_flush(net.client.stream);
    assert_int_equal(stream_pending(net.client.stream), 0);
    for (int i = 0; i < 100; i++)
        stream_write(net.client.stream, SPAN("twelve bytes"));
    net.server.on_end = finish;
    stream_finish(net.client.stream);
    stream_write(net.client.stream, SPAN("too late"));
    net_run(&net);
    assert_int_equal(net.server.got.len, 2400);
    net_done(&net);
}

/* ---- ends ---- */

static void answer_at_length(End *end) {
    char bytes[1000];
    for (size_t at = 0; at < 300000; at += sizeof bytes) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = pattern(at + i);
        stream_write(end->stream, span(bytes, sizeof bytes));
    }
    stream_finish(end->stream);
}

static void one_side_may_end_first(void **state) {
    (void)state;
    Net net;
    EACH_KIND(net) {
        stream_write(net.client.stream, SPAN("question"));
        stream_finish(net.client.stream);
        net.server.on_end = answer_at_length;
        net_run(&net);
        assert_span(buf_span(&net.server.got), "question");
        assert_int_equal(net.client.got.len, 300000);
        expect_pattern(buf_span(&net.client.got), 0);
        assert_int_equal(net.client.error, 0);
        assert_int_equal(net.server.error, 0);
    }
}

static void expect_loss(int error) {
    if (error != 0 && error != -ECONNRESET && error != -EPIPE)
        fail_msg("error %d", error);
}

/* Everything that can be called on a stream, after its end. */
static void close_and_more(End *end) {
    char room[ADDRESS_MAX];
    stream_write(end->stream, SPAN("last words"));
    stream_close(end->stream, 0);
    stream_close(end->stream, -EPROTO);
    stream_write(end->stream, SPAN("too late"));
    stream_read_stop(end->stream);
    stream_read_start(end->stream);
    stream_flush(end->stream);
    stream_finish(end->stream);
    assert_true(stream_detach(end->stream) < 0);
    assert_int_equal(stream_pending(end->stream), 0);
    assert_int_equal(stream_peer(end->stream, room, sizeof room).len, 0);
    assert_int_equal(stream_peer_uid(end->stream), -1);
}

static void close_at_read(End *end, Span bytes) {
    (void)bytes;
    close_and_more(end);
}

static void write_much(End *end, Span bytes) {
    (void)bytes;
    static const char zeroes[STREAM_LOW + 1];
    stream_write(end->stream, span(zeroes, sizeof zeroes));
}

static void streams_close_from_any_call(void **state) {
    (void)state;
    enum { AT_CONNECTED, AT_READ, AT_END, AT_WRITABLE, AT_ONCE, CASES };
    for (int at = 0; at < CASES; at++) {
        Net net;
        EACH_KIND(net) {
            net.server.on_end = finish;
            net.client.on_end = finish;
            switch (at) {
            case AT_CONNECTED:
                if (is_pair(kind))
                    close_and_more(&net.client);
                net.client.on_connected = close_and_more;
                break;
            case AT_READ:
                net.server.on_read = close_at_read;
                stream_write(net.client.stream, SPAN("hello"));
                break;
            case AT_END:
                net.server.on_end = close_and_more;
                stream_finish(net.client.stream);
                break;
            case AT_WRITABLE:
                net.server.on_read = write_much;
                net.server.on_writable = close_and_more;
                stream_write(net.client.stream, SPAN("hello"));
                break;
            case AT_ONCE: /* also while it connects */
                close_and_more(&net.client);
                close_listener_soon(&net);
                world_run(net.world);
                assert_int_equal(net.client.closed, 1);
                assert_int_equal(net.client.error, 0);
                continue;
            }
            net_run(&net);
            End *closer = at == AT_CONNECTED ? &net.client : &net.server;
            End *other = closer == &net.client ? &net.server : &net.client;
            assert_int_equal(closer->error, 0);
            expect_loss(other->error);
        }
    }
}

static void last_words_are_sent(void **state) {
    (void)state;
    Net net;
    EACH_KIND(net) {
        net.client.on_connected = close_and_more;
        if (is_pair(kind))
            close_and_more(&net.client);
        net.server.on_end = finish;
        net_run(&net);
        assert_span(buf_span(&net.server.got), "last words");
        assert_int_equal(net.server.ended, 1);
    }
}

static void give_up(End *end, Span bytes) {
    (void)bytes;
    stream_write(end->stream, SPAN("never sent"));
    stream_close(end->stream, -EPROTO);
}

static void an_error_resets(void **state) {
    (void)state;
    Net net;
    EACH_KIND(net) {
        stream_write(net.client.stream, SPAN("nonsense"));
        net.server.on_read = give_up;
        net.client.on_end = finish;
        net_run(&net);
        assert_int_equal(net.server.error, -EPROTO);
        assert_int_equal(net.client.got.len, 0);
        bool tells = kind != UNIX && kind != PAIR;
        assert_int_equal(net.client.error, tells ? -ECONNRESET : 0);
        assert_int_equal(net.client.ended, !tells);
    }
}

/* What came before a reset is still read, even when a write has failed in between. */
static void a_refused_write_leaves_what_came(void **state) {
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    Net net;
    net_world(&net, PAIR);
    assert_int_equal(stream_adopt(net.world, fds[0], (Span){NULL, 0}, &net.client.stream), 0);
    stream_handle(net.client.stream, &HANDLER, &net.client);
    stream_read_start(net.client.stream);
    assert_int_equal(write(fds[1], "refused", 7), 7);
    close(fds[1]);
    stream_write(net.client.stream, SPAN("does not arrive"));
    stream_flush(net.client.stream);
    assert_int_equal(stream_pending(net.client.stream), 0);
    world_run(net.world);
    assert_span(buf_span(&net.client.got), "refused");
    assert_int_equal(net.client.error, -EPIPE);
    net_done(&net);
}

static void owners_may_let_go(void **state) {
    (void)state;
    Net net;
    EACH_KIND(net) {
        net.server.on_end = finish;
        stream_handle(net.client.stream, NULL, NULL);
        stream_close(net.client.stream, 0);
        net.client.stream = NULL;
        net.client.closed = 1;
        close_listener_soon(&net);
        world_run(net.world);
    }
}

static void the_end_of_a_world_ends_streams(void **state) {
    (void)state;
    Net net;
    EACH_KIND(net) {
        close_listener(&net.close_listener);
        world_free(net.client_world);
        assert_int_equal(net.client.closed, 1);
        assert_int_equal(net.client.error, -ECANCELED);
        net.client_world = NULL;
    }
}

/* ---- connecting ---- */

static void nobody_is_refused(void **state) {
    (void)state;
    for (Kind kind = 0; kind < KINDS; kind++) {
        if (is_pair(kind))
            continue;
        Net net;
        net_world(&net, kind);
        net_listen(&net);
        listener_close(net.listener);
        net.listener = NULL;
        net_connect(&net);
        stream_write(net.client.stream, SPAN("anybody?"));
        world_run(net.world);
        assert_int_equal(net.client.closed, 1);
        assert_int_equal(net.client.connected, 0);
        assert_int_equal(net.client.error, kind == UNIX ? -ENOENT : -ECONNREFUSED);
        net_done(&net);
    }
}

static void names_are_resolved(void **state) {
    (void)state;
    for (int closing = 0; closing < 2; closing++) {
        Net net;
        net_world(&net, TCP);
        net_listen(&net);
        strcpy(net.address.host, "localhost");
        net_connect(&net);
        if (closing) {
            stream_close(net.client.stream, 0);
            close_listener_soon(&net);
            world_run(net.world);
            assert_int_equal(net.client.closed, 1);
        } else {
            expect_echo(&net);
        }
        net_done(&net);
    }
}

static void impossible_addresses_are_refused(void **state) {
    (void)state;
    static const struct {
        Address address;
        int connect, listen;
    } cases[] = {
        {{ADDRESS_TCP, "\xff", 1}, -EINVAL, -ENXIO},
        {{ADDRESS_TCP, "203.0.113.1", 0}, 0, -EADDRNOTAVAIL},
        {{ADDRESS_UNIX, "/no/such/directory/socket", 0}, -ENOENT, -ENOENT},
        {{ADDRESS_UNIX,
          "/a/path/of/108/bytes/so/that/its/nul/does/not/fit/any/more/into/the/address/of/a/socket/"
          "____________________",
          0},
         -EINVAL,
         -EINVAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Net net;
        net_world(&net, TCP);
        net.address = cases[i].address;
        Listener *listener = NULL;
        assert_int_equal(listener_open(net.world, &net.address, on_accept, &net, &listener),
                         cases[i].listen);
        assert_null(listener);
        if (cases[i].connect) {
            net_connect(&net);
            world_run(net.world);
            assert_int_equal(net.client.closed, 1);
            assert_int_equal(net.client.error, cases[i].connect);
        }
        net_done(&net);
    }
}

static int make_directory(void **state) {
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
    (void)state;
    return rmdir(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echoes_come_back_whole),
        cmocka_unit_test(writers_wait_for_readers),
        cmocka_unit_test(writes_of_a_turn_leave_together),
        cmocka_unit_test(one_side_may_end_first),
        cmocka_unit_test(streams_close_from_any_call),
        cmocka_unit_test(last_words_are_sent),
        cmocka_unit_test(an_error_resets),
        cmocka_unit_test(a_refused_write_leaves_what_came),
        cmocka_unit_test(owners_may_let_go),
        cmocka_unit_test(the_end_of_a_world_ends_streams),
        cmocka_unit_test(nobody_is_refused),
        cmocka_unit_test(names_are_resolved),
        cmocka_unit_test(impossible_addresses_are_refused),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
