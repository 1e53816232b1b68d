/* What stream.h promises, of every kind of stream there is: TCP, unix sockets and socket pairs in
 * the real world, and connections of a simulation. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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
    End client, server;
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
    assert_int_equal(listener_open(net->world, &net->address, on_accept, net, &net->listener), 0);
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
    assert_int_equal(stream_pair(net->world, ends), 0);
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

/* Opens both ends; the first turns connect them. */
static void net_open(Net *net, Kind kind) {
    net_world(net, kind);
    if (kind == PAIR || kind == SIMULATED_PAIR) {
        net_pair(net);
    } else {
        net_listen(net);
        net_connect(net);
    }
}

static void net_done(Net *net) {
    listener_close(net->listener);
    world_free(net->world);
    if (net->simulation)
        simulation_free(net->simulation);
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
        assert_int_equal(net.client.connected, kind != PAIR && kind != SIMULATED_PAIR);
        assert_int_equal(net.client.ended, 1);
        assert_int_equal(net.server.ended, 1);
        assert_int_equal(net.client.got.len, net.total);
        expect_pattern(buf_span(&net.client.got), 0);
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
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
