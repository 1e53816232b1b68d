#include "core/event_bus.h"

#include <errno.h>

#include "base/test.h"
#include "os/simulation.h"

static bool matches(const char *pattern, const char *topic) {
    return event_pattern_matches(span_of(pattern), span_of(topic));
}

static void patterns_match_words(void **state) {
    (void)state;
    assert_true(matches("process.started", "process.started"));
    assert_false(matches("process.started", "process.started.twice"));
    assert_false(matches("process", "process.started"));
    assert_true(matches("supervisor.state.*", "supervisor.state.web"));
    assert_false(matches("supervisor.state.*", "supervisor.state"));
    assert_false(matches("*", "a.b"));
    assert_true(matches("**", "a.b.c"));
    assert_true(matches("a.**", "a"));
    assert_true(matches("**.c", "a.c.b.c"));
    assert_true(matches("a.**.x.*.**.c", "a.b.x.x.y.c.c"));
    assert_false(matches("a.**.c", "a.b"));
    assert_true(matches("process.{started,stopped}", "process.stopped"));
    assert_false(matches("process.{started,stopped}", "process.stop"));
}

typedef struct Reader {
    Subscription *subscription;
    EventBus *bus;
    int events, told;
    uint64_t last, missed, missed_in_all, first_missed, last_missed;
    bool leave, answer;
} Reader;

static void on_event(void *owner, const Event *event) {
    Reader *reader = owner;
    assert_true(event->sequence > reader->last);
    reader->last = event->sequence;
    reader->events++;
    if (reader->leave)
        event_bus_unsubscribe(reader->subscription);
    if (reader->answer) {
        reader->answer = false;
        assert_int_equal(event_bus_publish(reader->bus, SPAN("a.answer"), event->payload), 0);
    }
}

static void on_missed(void *owner, uint64_t count, uint64_t first, uint64_t last) {
    Reader *reader = owner;
    assert_true(first > reader->last);
    reader->told++;
    reader->missed = count;
    reader->missed_in_all += count;
    reader->first_missed = first;
    reader->last_missed = last;
}

static const EventHandler HANDLER = {on_event, on_missed};

static void subscribe(EventBus *bus, const char *pattern, size_t capacity, Reader *reader) {
    reader->bus = bus;
    assert_int_equal(event_bus_subscribe(bus, span_of(pattern), capacity, &HANDLER, reader,
                                         &reader->subscription),
                     0);
}

static void a_slow_subscriber_is_told_what_it_missed(void **state) {
    (void)state;
    Simulation *simulation = simulation_new(&(SimulationOptions){.seed = 1});
    World *world = simulation_world(simulation);
    EventBus *bus = event_bus_new(world);
    Reader slow = {0}, quick = {0}, other = {0};
    subscribe(bus, "a.*", 3, &slow);
    subscribe(bus, "**", 1000, &quick);
    subscribe(bus, "b", 10, &other);
    subscription_pause(slow.subscription, true);
    Blob *payload = blob_copy(SPAN("payload"));
    for (int i = 0; i < 100; i++)
        assert_int_equal(event_bus_publish(bus, SPAN("a.x"), payload), 0);
    assert_int_equal(quick.events, 0); /* never from inside publish */
    simulation_run(simulation, 2 * NANOS_PER_SECOND);
    assert_int_equal(quick.events, 100);
    assert_int_equal(slow.events, 0);
    subscription_pause(slow.subscription, false);
    simulation_run(simulation, 3 * NANOS_PER_SECOND);
    assert_int_equal(slow.events, 3);
    assert_int_equal(slow.told, 1);
    assert_true(slow.missed == 97 && slow.first_missed == 4 && slow.last_missed == 100);
    assert_int_equal(quick.told + other.events, 0);
    event_bus_free(bus);
    assert_int_equal(atomic_load(&payload->refs), 1);
    blob_unref(payload);
    simulation_free(simulation);
}

/* A hundred thousand events for a reader that takes each, one that now and then pauses, one that
 * never reads, and one that leaves: nobody waits for another, nothing is lost without being told,
 * and the one that never reads costs no more memory than its queue. */
static void load_with_a_subscriber_that_never_reads(void **state) {
    (void)state;
    Simulation *simulation = simulation_new(&(SimulationOptions){.seed = 3});
    World *world = simulation_world(simulation);
    EventBus *bus = event_bus_new(world);
    Reader never = {0}, moody = {0}, quick = {0};
    subscribe(bus, "**", 16, &never);
    subscribe(bus, "load.*", 64, &moody);
    subscribe(bus, "load.*", 100, &quick);
    subscription_pause(never.subscription, true);
    Blob *payload = blob_copy(SPAN("payload"));
    for (int turn = 0; turn < 1000; turn++) {
        subscription_pause(moody.subscription, turn % 3 == 0);
        for (int i = 0; i < 100; i++)
            assert_int_equal(event_bus_publish(bus, SPAN("load.x"), payload), 0);
        simulation_run(simulation, world_now(world) + NANOS_PER_MILLI);
        assert_true(atomic_load(&payload->refs) <= 1 + 16 + 64);
    }
    subscription_pause(moody.subscription, false);
    simulation_run(simulation, world_now(world) + NANOS_PER_MILLI);
    assert_int_equal(quick.events, 100000);
    assert_int_equal(quick.told, 0);
    assert_int_equal((uint64_t)moody.events + moody.missed_in_all, 100000);
    assert_true(moody.told > 1);
    assert_int_equal(never.events + never.told, 0);
    subscription_pause(never.subscription, false);
    simulation_run(simulation, world_now(world) + NANOS_PER_MILLI);
    assert_int_equal(never.events, 16);
    assert_true(never.missed == 100000 - 16 && never.last_missed == 100000);
    event_bus_free(bus);
    blob_unref(payload);
    simulation_free(simulation);
}

static void handlers_may_publish_and_leave(void **state) {
    (void)state;
    Simulation *simulation = simulation_new(&(SimulationOptions){.seed = 1});
    World *world = simulation_world(simulation);
    EventBus *bus = event_bus_new(world);
    Reader leaver = {.leave = true}, answerer = {.answer = true};
    subscribe(bus, "a.*", 10, &leaver);
    subscribe(bus, "a.*", 10, &answerer);
    event_bus_publish(bus, SPAN("a.x"), NULL);
    event_bus_publish(bus, SPAN("a.y"), NULL);
    simulation_run(simulation, 2 * NANOS_PER_SECOND);
    assert_int_equal(leaver.events, 1);
    assert_int_equal(answerer.events, 3);
    event_bus_free(bus);
    simulation_free(simulation);
}

static void wrong_topics_and_patterns_are_refused(void **state) {
    (void)state;
    Simulation *simulation = simulation_new(&(SimulationOptions){.seed = 1});
    EventBus *bus = event_bus_new(simulation_world(simulation));
    static const char *const TOPICS[] = {"", ".", "a.", ".a", "a..b", "a.*", "{a}"};
    for (size_t i = 0; i < sizeof TOPICS / sizeof *TOPICS; i++)
        assert_int_equal(event_bus_publish(bus, span_of(TOPICS[i]), NULL), -EINVAL);
    static const char *const PATTERNS[] = {"", "a.", "a*", "***", "{}", "{a", "a}", "{{a}}"};
    Subscription *subscription;
    for (size_t i = 0; i < sizeof PATTERNS / sizeof *PATTERNS; i++)
        assert_int_equal(
            event_bus_subscribe(bus, span_of(PATTERNS[i]), 1, &HANDLER, NULL, &subscription),
            -EINVAL);
    event_bus_free(bus);
    simulation_free(simulation);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_words),
        cmocka_unit_test(a_slow_subscriber_is_told_what_it_missed),
        cmocka_unit_test(load_with_a_subscriber_that_never_reads),
        cmocka_unit_test(handlers_may_publish_and_leave),
        cmocka_unit_test(wrong_topics_and_patterns_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
