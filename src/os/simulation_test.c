#include "os/simulation.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/test.h"
#include "os/stream.h"

/* ---- a small system: clients that ask, a server that answers ---- */

typedef struct System System;

typedef struct Client {
    System *system;
    Stream *stream;
    Timer again;
    uint64_t asked; /* bytes */
    uint64_t answered;
    int rounds;
} Client;

typedef struct Session {
    System *system;
    Stream *stream;
} Session;

#define CLIENTS 5
#define ROUNDS  20

struct System {
    Simulation *simulation;
    World *server, *others;
    Listener *listener;
    Address address;
    Client clients[CLIENTS];
    int sessions, ended, cut, refused, finished;
};

static void session_read(void *owner, Span bytes) {
    stream_write(((Session *)owner)->stream, bytes);
}

static void session_end(void *owner) {
    stream_finish(((Session *)owner)->stream);
}

static void session_closed(void *owner, int error) {
    Session *session = owner;
    session->system->ended++;
    session->system->cut += error == -ECONNRESET;
    free(session);
}

static const StreamHandler SESSION = {
    .read = session_read, .end = session_end, .closed = session_closed};

static void on_accept(void *owner, Stream *stream) {
    Session *session = malloc(sizeof *session);
    *session = (Session){owner, stream};
    session->system->sessions++;
    stream_handle(stream, &SESSION, session);
    stream_read_start(stream);
}

static char pattern(uint64_t at) {
    return (char)(at * 40503 >> 7);
}

static void client_ask(Client *client) {
    char bytes[4000];
    size_t size = 1 + simulation_choose(client->system->simulation, sizeof bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = pattern(client->asked + i);
    client->asked += size;
    stream_write(client->stream, span(bytes, size));
}

static void client_read(void *owner, Span bytes) {
    Client *client = owner;
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.ptr[i] != pattern(client->answered + i))
            fail_msg("byte %zu is wrong", (size_t)client->answered + i);
    client->answered += bytes.len;
    if (client->answered < client->asked)
        return;
    if (++client->rounds < ROUNDS)
        client_ask(client);
    else
        stream_finish(client->stream);
}

static void client_closed(void *owner, int error) {
    Client *client = owner;
    System *system = client->system;
    client->stream = NULL;
    if (error == 0) {
        assert_int_equal(client->rounds, ROUNDS);
        assert_true(client->answered == client->asked);
        system->finished++;
        return;
    }
    if (error == -ECANCELED) /* the World ends */
        return;
    assert_true(error == -ECONNRESET || error == -ECONNREFUSED);
    system->refused += error == -ECONNREFUSED;
    client->asked = client->answered = 0;
    wheel_arm(world_wheel(system->others), &client->again,
              world_now(system->others) + 100 * NANOS_PER_MILLI);
}

static const StreamHandler CLIENT = {.read = client_read, .closed = client_closed};

static void client_connect(Timer *timer) {
    Client *client = CONTAINER(timer, Client, again);
    System *system = client->system;
    assert_int_equal(
        stream_connect(system->others, &system->address, &CLIENT, client, &client->stream), 0);
    stream_read_start(client->stream);
    client_ask(client);
}

static void system_open(System *system, const SimulationOptions *options) {
    *system = (System){.simulation = simulation_new(options)};
    system->server = simulation_world(system->simulation);
    system->others = simulation_world(system->simulation);
    assert_true(address_parse(SPAN("127.0.0.1:0"), &system->address));
    assert_int_equal(
        listener_open(system->server, &system->address, on_accept, system, &system->listener), 0);
    listener_address(system->listener, &system->address);
    for (int i = 0; i < CLIENTS; i++) {
        system->clients[i] = (Client){.system = system, .again.fire = client_connect};
        client_connect(&system->clients[i].again);
    }
}

static void system_close(System *system) {
    listener_close(system->listener);
    simulation_free(system->simulation);
}

static uint64_t trace_of(uint64_t seed, uint32_t cuts) {
    System system;
    system_open(&system, &(SimulationOptions){.seed = seed,
                                              .delay_min = NANOS_PER_MICRO,
                                              .delay_max = 20 * NANOS_PER_MILLI,
                                              .piece_max = 700,
                                              .cut_per_million = cuts,
                                              .window = 3000});
    assert_true(simulation_run(system.simulation, INT64_MAX));
    assert_int_equal(system.finished, CLIENTS);
    assert_int_equal(system.ended, system.sessions);
    if (cuts)
        assert_true(system.cut > 0);
    else
        assert_int_equal(system.sessions, CLIENTS);
    uint64_t trace = simulation_trace(system.simulation);
    system_close(&system);
    return trace;
}

static void a_seed_decides_everything(void **state) {
    (void)state;
    for (uint32_t cuts = 0; cuts <= 2000; cuts += 2000) {
        uint64_t first = trace_of(7, cuts);
        for (uint64_t seed = 0; seed < 20; seed++)
            assert_int_equal(trace_of(seed, cuts) == first, seed == 7);
    }
}

static void cuts_end_both_sides(void **state) {
    (void)state;
    System system;
    system_open(&system, &(SimulationOptions){.seed = 3, .delay_max = 20 * NANOS_PER_MILLI});
    assert_false(simulation_run(system.simulation, SIMULATION_START + 150 * NANOS_PER_MILLI));
    assert_true(world_now(system.others) == SIMULATION_START + 150 * NANOS_PER_MILLI);
    assert_int_equal(system.sessions, CLIENTS);
    Address other = {.kind = ADDRESS_TCP, .host = "127.0.0.2", .port = system.address.port};
    Address same = {.kind = ADDRESS_TCP, .host = "localhost", .port = system.address.port};
    assert_int_equal(simulation_cut(system.simulation, &other), 0);
    assert_int_equal(simulation_cut(system.simulation, &same), CLIENTS);
    assert_int_equal(simulation_cut(system.simulation, NULL), 0);
    for (int i = 0; i < CLIENTS; i++)
        assert_non_null(system.clients[i].stream); /* `closed` comes from the loop */
    assert_false(simulation_run(system.simulation, world_now(system.others)));
    assert_int_equal(system.cut, CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        assert_null(system.clients[i].stream);
    assert_true(simulation_run(system.simulation, INT64_MAX));
    assert_int_equal(system.finished, CLIENTS);
    system_close(&system);
}

static void restart_listener(Timer *timer) {
    Client *spare = CONTAINER(timer, Client, again);
    System *system = spare->system;
    assert_int_equal(
        listener_open(system->server, &system->address, on_accept, system, &system->listener), 0);
}

static void nobody_there_is_refused(void **state) {
    (void)state;
    System system;
    system_open(&system, &(SimulationOptions){.seed = 1});
    listener_close(system.listener);
    system.listener = NULL;
    Client restart = {.system = &system, .again.fire = restart_listener};
    wheel_arm(world_wheel(system.server), &restart.again, SIMULATION_START + 350 * NANOS_PER_MILLI);
    assert_true(simulation_run(system.simulation, INT64_MAX));
    assert_int_equal(system.refused, 4 * CLIENTS); /* at 0, 100, 200 and 300 ms */
    assert_int_equal(system.finished, CLIENTS);
    system_close(&system);
}

static void pausing_keeps_them_waiting(void **state) {
    (void)state;
    System system;
    system_open(&system, &(SimulationOptions){.seed = 1});
    listener_pause(system.listener, true);
    assert_true(simulation_run(system.simulation, INT64_MAX));
    assert_int_equal(system.sessions, 0);
    stream_close(system.clients[0].stream, -ECONNRESET); /* it gives up, and comes again */
    listener_pause(system.listener, false);
    assert_true(simulation_run(system.simulation, INT64_MAX));
    assert_int_equal(system.sessions, CLIENTS);
    assert_int_equal(system.finished, CLIENTS);

    listener_pause(system.listener, true);
    client_connect(&system.clients[0].again);
    assert_true(simulation_run(system.simulation, INT64_MAX));
    listener_close(system.listener);
    system.listener = NULL;
    simulation_run(system.simulation, world_now(system.others));
    assert_int_equal(system.refused, 1);
    system_close(&system);
}

static void addresses_are_taken_once(void **state) {
    (void)state;
    System system;
    system_open(&system, &(SimulationOptions){.seed = 1});
    Listener *listener = NULL;
    Address everywhere = {.kind = ADDRESS_TCP, .host = "0.0.0.0", .port = 80};
    Address here = {.kind = ADDRESS_TCP, .host = "127.0.0.1", .port = 80};
    assert_int_equal(listener_open(system.others, &system.address, on_accept, &system, &listener),
                     -EADDRINUSE);
    assert_int_equal(listener_open(system.others, &everywhere, on_accept, &system, &listener), 0);
    assert_int_equal(listener_open(system.others, &here, on_accept, &system, &listener),
                     -EADDRINUSE);
    assert_int_equal(listener_fd(listener), -1);
    assert_int_equal(listener_adopt(system.others, 0, on_accept, &system, &listener), -ENOTSUP);
    system.address = here;
    client_connect(&system.clients[0].again);
    system_close(&system); /* with all under way */
    assert_int_equal(system.sessions, system.ended);
}

/* ---- time and chance ---- */

typedef struct Alarm {
    Timer timer;
    World *world;
    Nanos fired;
} Alarm;

static void alarm_fire(Timer *timer) {
    Alarm *alarm = CONTAINER(timer, Alarm, timer);
    alarm->fired = world_now(alarm->world);
}

static void time_jumps(void **state) {
    (void)state;
    const Nanos day = 86400 * NANOS_PER_SECOND;
    Simulation *simulation = simulation_new(&(SimulationOptions){.seed = 1});
    Alarm alarms[2];
    for (int i = 0; i < 2; i++) {
        World *world = simulation_world(simulation);
        assert_true(world_now(world) == SIMULATION_START);
        assert_true(world_wall(world) == SIMULATION_EPOCH);
        alarms[i] = (Alarm){.timer.fire = alarm_fire, .world = world};
        wheel_arm(world_wheel(world), &alarms[i].timer, SIMULATION_START + (i + 1) * day);
    }
    assert_false(simulation_run(simulation, SIMULATION_START + day + 5));
    assert_true(alarms[0].fired == SIMULATION_START + day);
    assert_true(alarms[1].fired == 0);
    assert_true(world_now(alarms[1].world) == SIMULATION_START + day + 5);
    assert_true(simulation_run(simulation, INT64_MAX));
    assert_true(alarms[1].fired == SIMULATION_START + 2 * day);
    assert_true(world_wall(alarms[0].world) == SIMULATION_EPOCH + 2 * day);
    simulation_free(simulation);
}

/* ---- a world that is held up ---- */

typedef struct Held {
    Stream *stream;
    World *world;
    size_t received, before; /* bytes; and before the timer */
    Timer timer;
    Nanos fired;
} Held;

static void held_read(void *owner, Span bytes) {
    ((Held *)owner)->received += bytes.len;
}

static void held_fire(Timer *timer) {
    Held *held = CONTAINER(timer, Held, timer);
    held->before = held->received;
    held->fired = world_now(held->world) - SIMULATION_START;
}

static const StreamHandler HELD = {.read = held_read};

static void held_accept(void *owner, Stream *stream) {
    Held *held = owner;
    held->stream = stream;
    stream_handle(stream, &HELD, held);
    stream_read_start(stream);
}

/* Its timer is due a fifth of a second after it was stopped. */
static Held hold_for(Nanos time) {
    static const StreamHandler SILENT = {0};
    Simulation *simulation =
        simulation_new(&(SimulationOptions){.seed = 3, .delay_max = 1000, .piece_max = 50});
    Held held = {.world = simulation_world(simulation), .timer.fire = held_fire};
    Address address;
    Listener *listener;
    Stream *stream;
    address_parse(SPAN("10.0.0.1:80"), &address);
    assert_int_equal(listener_open(held.world, &address, held_accept, &held, &listener), 0);
    World *other = simulation_world(simulation);
    assert_int_equal(stream_connect(other, &address, &SILENT, NULL, &stream), 0);
    simulation_run(simulation, SIMULATION_START + NANOS_PER_MILLI);
    wheel_arm(world_wheel(held.world), &held.timer, SIMULATION_START + NANOS_PER_SECOND / 5);
    simulation_hold(held.world, time);
    char bytes[5000] = {0};
    stream_write(stream, span(bytes, sizeof bytes));
    simulation_run(simulation, SIMULATION_START + time);
    assert_int_equal(held.received, 0);
    simulation_run(simulation, SIMULATION_START + 60 * NANOS_PER_SECOND);
    assert_int_equal(held.received, sizeof bytes);
    simulation_free(simulation);
    return held;
}

static void who_is_held_up_finds_what_gathered(void **state) {
    (void)state;
    Held held = hold_for(NANOS_PER_SECOND / 2);
    assert_int_equal(held.before, 5000);
    assert_in_range(held.fired, NANOS_PER_SECOND / 2, NANOS_PER_SECOND / 2 + NANOS_PER_MILLI);
    held = hold_for(20 * NANOS_PER_SECOND);
    assert_int_equal(held.before, 5000);
    assert_in_range(held.fired, (20 * 5 + 1) * NANOS_PER_SECOND / 5 - NANOS_PER_MILLI,
                    (20 * 5 + 1) * NANOS_PER_SECOND / 5 + NANOS_PER_MILLI);
}

static void clocks_are_set(void **state) {
    (void)state;
    Simulation *simulation = simulation_new(&(SimulationOptions){.seed = 1});
    World *world = simulation_world(simulation), *other = simulation_world(simulation);
    simulation_set_clock(world, -NANOS_PER_SECOND);
    assert_true(world_wall(world) == SIMULATION_EPOCH - NANOS_PER_SECOND);
    assert_true(world_wall(other) == SIMULATION_EPOCH);
    assert_true(world_now(world) == SIMULATION_START);
    simulation_free(simulation);
}

static void chance_comes_from_the_seed(void **state) {
    (void)state;
    char bytes[4][100];
    for (int i = 0; i < 4; i += 2) {
        Simulation *simulation = simulation_new(&(SimulationOptions){.seed = 9});
        World *first = simulation_world(simulation), *second = simulation_world(simulation);
        if (i) /* what the network draws does not matter */
            simulation_choose(simulation, 10);
        world_random(first, bytes[i], 33);
        world_random(first, bytes[i] + 33, 67);
        world_random(second, bytes[i + 1], sizeof bytes[i]);
        simulation_free(simulation);
    }
    assert_memory_equal(bytes[0], bytes[2], sizeof bytes[0]);
    assert_memory_equal(bytes[1], bytes[3], sizeof bytes[0]);
    assert_memory_not_equal(bytes[0], bytes[1], sizeof bytes[0]);

    Simulation *simulation = simulation_new(&(SimulationOptions){.seed = 9});
    int counts[3] = {0};
    for (int i = 0; i < 3000; i++)
        counts[simulation_choose(simulation, 3)]++;
    for (int i = 0; i < 3; i++)
        assert_in_range(counts[i], 900, 1100);
    simulation_free(simulation);
}

typedef struct Pipe {
    World *world;
    Stream *ends[2];
    Nanos sent;
    size_t got;
    int pieces;
} Pipe;

static void pipe_read(void *owner, Span bytes) {
    Pipe *pipe = owner;
    assert_in_range(bytes.len, 1, 50);
    assert_in_range(world_now(pipe->world) - pipe->sent, 5 * NANOS_PER_MILLI, INT64_MAX);
    pipe->got += bytes.len;
    pipe->pieces++;
}

static const StreamHandler PIPE = {.read = pipe_read};

static void pieces_and_delays_keep_their_bounds(void **state) {
    (void)state;
    Simulation *simulation = simulation_new(&(SimulationOptions){.seed = 1,
                                                                 .delay_min = 5 * NANOS_PER_MILLI,
                                                                 .delay_max = 9 * NANOS_PER_MILLI,
                                                                 .piece_max = 50,
                                                                 .window = 1000});
    Pipe pipe = {.world = simulation_world(simulation)};
    char room[ADDRESS_MAX];
    assert_int_equal(stream_pair(pipe.world, pipe.ends), 0);
    assert_span(stream_peer(pipe.ends[0], room, sizeof room), "unix:");
    assert_int_equal(stream_detach(pipe.ends[0]), -ENOTSUP);
    stream_handle(pipe.ends[1], &PIPE, &pipe);
    pipe.sent = world_now(pipe.world);
    static const char zeroes[1500];
    stream_write(pipe.ends[0], span(zeroes, sizeof zeroes));
    assert_true(simulation_run(simulation, INT64_MAX));
    assert_int_equal(pipe.got, 0); /* reading is off at first */
    assert_int_equal(stream_pending(pipe.ends[0]), 500);
    stream_read_start(pipe.ends[1]);
    assert_true(simulation_run(simulation, INT64_MAX));
    assert_int_equal(pipe.got, sizeof zeroes);
    assert_in_range(pipe.pieces, 31, 200);
    assert_true(world_now(pipe.world) <= pipe.sent + 2 * 9 * NANOS_PER_MILLI);
    simulation_free(simulation);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_decides_everything),
        cmocka_unit_test(cuts_end_both_sides),
        cmocka_unit_test(nobody_there_is_refused),
        cmocka_unit_test(pausing_keeps_them_waiting),
        cmocka_unit_test(addresses_are_taken_once),
        cmocka_unit_test(time_jumps),
        cmocka_unit_test(who_is_held_up_finds_what_gathered),
        cmocka_unit_test(clocks_are_set),
        cmocka_unit_test(chance_comes_from_the_seed),
        cmocka_unit_test(pieces_and_delays_keep_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
