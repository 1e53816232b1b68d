#include "base/wheel.h"

#include "base/test.h"

#define MILLI NANOS_PER_MILLI

/* A timer that knows what is expected of it. */
typedef struct Alarm {
    Timer timer;
    bool armed;
    Nanos deadline;
    int fired;
    void (*then)(struct Alarm *alarm); /* what else it does when it fires */
} Alarm;

/* What the tests know of the wheel_advance that runs. */
static struct {
    Wheel wheel;
    Nanos now;
    Nanos last;        /* deadline that fired last in this advance */
    TestRandom random; /* for alarms that do random things */
} world;

static void fire(Timer *timer) {
    Alarm *alarm = CONTAINER(timer, Alarm, timer);
    assert_false(timer_is_armed(timer));
    assert_true(alarm->armed);
    assert_true(alarm->deadline <= world.now);
    assert_true(alarm->deadline >= world.last);
    world.last = alarm->deadline;
    alarm->armed = false;
    alarm->fired++;
    if (alarm->then)
        alarm->then(alarm);
}

static void start(Nanos now) {
    wheel_init(&world.wheel, now);
    world.now = now;
}

static void arm(Alarm *alarm, Nanos deadline) {
    alarm->timer.fire = fire;
    wheel_arm(&world.wheel, &alarm->timer, deadline);
    alarm->armed = true;
    alarm->deadline = deadline;
    assert_true(timer_is_armed(&alarm->timer));
    assert_int_equal(timer_deadline(&world.wheel, &alarm->timer), deadline);
}

static void cancel(Alarm *alarm) {
    wheel_cancel(&world.wheel, &alarm->timer);
    alarm->armed = false;
    assert_false(timer_is_armed(&alarm->timer));
}

static void advance(Nanos now) {
    world.now = now;
    world.last = INT64_MIN;
    wheel_advance(&world.wheel, now);
}

static void fires_neither_early_nor_late(void **state) {
    (void)state;
    static const Nanos delays[] = {0,          1,          MILLI - 1,  MILLI,          MILLI + 1,
                                   63 * MILLI, 64 * MILLI, 65 * MILLI, 4095 * MILLI,   4096 * MILLI,
                                   1LL << 40,  1LL << 50,  1LL << 60,  123456789012345};
    static const Nanos starts[] = {0, 1, MILLI - 1, 63 * MILLI, 4095 * MILLI + 5, 1LL << 55};
    for (size_t s = 0; s < sizeof starts / sizeof starts[0]; s++) {
        for (size_t d = 0; d < sizeof delays / sizeof delays[0]; d++) {
            Alarm alarm = {0};
            Nanos deadline = starts[s] + delays[d];
            start(starts[s]);
            arm(&alarm, deadline);
            if (deadline > starts[s]) {
                advance(deadline - 1);
                assert_int_equal(alarm.fired, 0);
            }
            advance(deadline);
            assert_int_equal(alarm.fired, 1);
            assert_int_equal(world.wheel.count, 0);
            assert_int_equal(wheel_next(&world.wheel), WHEEL_NEVER);
        }
    }
}

static void past_deadlines_fire_at_the_next_advance(void **state) {
    (void)state;
    Alarm past = {0}, now = {0};
    start(1000 * MILLI);
    arm(&now, 1000 * MILLI);
    arm(&past, 5);
    assert_int_equal(wheel_next(&world.wheel), 5);
    advance(1000 * MILLI);
    assert_int_equal(past.fired, 1);
    assert_int_equal(now.fired, 1);
}

static void never_is_never(void **state) {
    (void)state;
    Alarm never = {0};
    start(0);
    arm(&never, WHEEL_NEVER);
    wheel_postpone(&world.wheel, 1000);
    assert_int_equal(timer_deadline(&world.wheel, &never.timer), WHEEL_NEVER);
    advance(INT64_MAX / 2);
    assert_int_equal(never.fired, 0);
    assert_true(wheel_next(&world.wheel) > INT64_MAX / 2);
    cancel(&never);
    assert_int_equal(wheel_next(&world.wheel), WHEEL_NEVER);
}

static void cancelling(void **state) {
    (void)state;
    Alarm alarm = {0};
    start(0);
    wheel_cancel(&world.wheel, &alarm.timer); /* never armed */
    arm(&alarm, 5 * MILLI);
    cancel(&alarm);
    cancel(&alarm);
    assert_int_equal(world.wheel.count, 0);
    assert_int_equal(wheel_next(&world.wheel), WHEEL_NEVER);
    advance(10 * MILLI);
    assert_int_equal(alarm.fired, 0);
}

static void a_later_deadline_costs_no_move(void **state) {
    (void)state;
    Alarm alarm = {0};
    start(0);
    arm(&alarm, 5 * MILLI);
    const Link *before = alarm.timer.link.prev;
    for (int beat = 1; beat <= 100; beat++)
        arm(&alarm, (5 + beat * 10) * MILLI);
    assert_ptr_equal(alarm.timer.link.prev, before);
    assert_int_equal(world.wheel.count, 1);
    assert_true(wheel_next(&world.wheel) <= 5 * MILLI); /* where it still stands */
    advance(6 * MILLI);
    assert_int_equal(alarm.fired, 0);
    assert_true(wheel_next(&world.wheel) > 6 * MILLI);
    advance(1005 * MILLI - 1);
    assert_int_equal(alarm.fired, 0);
    arm(&alarm, 1004 * MILLI); /* an earlier one moves it */
    advance(1005 * MILLI - 1);
    assert_int_equal(alarm.fired, 1);
}

static void postponing_moves_all(void **state) {
    (void)state;
    Alarm soon = {0}, late = {0}, armed_after = {0};
    start(0);
    arm(&soon, 10 * MILLI);
    arm(&late, 10000 * MILLI);
    advance(5 * MILLI);
    wheel_postpone(&world.wheel, 1000 * MILLI);
    soon.deadline += 1000 * MILLI;
    late.deadline += 1000 * MILLI;
    assert_int_equal(timer_deadline(&world.wheel, &soon.timer), 1010 * MILLI);
    assert_int_equal(wheel_next(&world.wheel), 1010 * MILLI);
    arm(&armed_after, 1007 * MILLI);
    advance(1010 * MILLI - 1);
    assert_int_equal(soon.fired, 0);
    assert_int_equal(armed_after.fired, 1);
    advance(1010 * MILLI);
    assert_int_equal(soon.fired, 1);
    advance(11000 * MILLI - 1);
    assert_int_equal(late.fired, 0);
    advance(11000 * MILLI);
    assert_int_equal(late.fired, 1);
}

static void now_may_step_back(void **state) {
    (void)state;
    Alarm alarm = {0};
    start(100 * MILLI);
    advance(200 * MILLI);
    arm(&alarm, 150 * MILLI);
    advance(150 * MILLI - 1);
    assert_int_equal(alarm.fired, 0);
    advance(150 * MILLI);
    assert_int_equal(alarm.fired, 1);
}

static Alarm chain[3];

static void arm_again(Alarm *alarm) {
    arm(alarm, world.now);
}

static void cancel_second(Alarm *alarm) {
    (void)alarm;
    cancel(&chain[1]);
}

static void push_second_on(Alarm *alarm) {
    (void)alarm;
    arm(&chain[1], world.now + 50 * MILLI);
}

static void firing_may_arm_and_cancel(void **state) {
    (void)state;
    start(0);
    memset(chain, 0, sizeof chain);
    chain[0].then = arm_again; /* for now: fires in the next advance, not endlessly in this */
    arm(&chain[0], MILLI);
    advance(10 * MILLI);
    assert_int_equal(chain[0].fired, 1);
    advance(10 * MILLI);
    assert_int_equal(chain[0].fired, 2);
    cancel(&chain[0]);

    chain[0].then = cancel_second; /* which was found due already */
    for (int i = 0; i < 3; i++)
        arm(&chain[i], (15 + i) * MILLI);
    advance(20 * MILLI);
    assert_int_equal(chain[0].fired, 3);
    assert_int_equal(chain[1].fired, 0);
    assert_int_equal(chain[2].fired, 1);

    chain[0].then = push_second_on;
    for (int i = 0; i < 3; i++)
        arm(&chain[i], (25 + i) * MILLI);
    advance(30 * MILLI);
    assert_int_equal(chain[1].fired, 0);
    assert_int_equal(chain[2].fired, 2);
    assert_int_equal(world.wheel.count, 1);
    advance(80 * MILLI - 1);
    assert_int_equal(chain[1].fired, 0);
    advance(80 * MILLI);
    assert_int_equal(chain[1].fired, 1);
}

static void free_it(Alarm *alarm) {
    free(alarm);
}

static void firing_may_free_the_timer(void **state) {
    (void)state;
    start(0);
    for (int i = 0; i < 100; i++) {
        Alarm *alarm = calloc(1, sizeof *alarm);
        alarm->then = free_it;
        arm(alarm, i * MILLI / 3);
    }
    advance(200 * MILLI);
    assert_int_equal(world.wheel.count, 0);
}

enum { ALARMS = 300 };

static Alarm alarms[ALARMS];

static Nanos random_delay(void) {
    TestRandom *random = &world.random;
    static const Nanos ranges[] = {MILLI, 10 * MILLI, 300 * MILLI, 10000 * MILLI, 1LL << 45};
    return (Nanos)test_random_below(random, (uint64_t)ranges[test_random_below(random, 5)]);
}

static void change_something(Alarm *alarm) {
    (void)alarm;
    Alarm *other = &alarms[test_random_below(&world.random, ALARMS)];
    if (test_random_below(&world.random, 3) == 0)
        cancel(other);
    else if (!other->armed) /* those found due already must not be put off into the past */
        arm(other, world.now + random_delay() - random_delay() / 4);
}

static Nanos naive_next(void) {
    Nanos next = WHEEL_NEVER;
    for (int i = 0; i < ALARMS; i++)
        if (alarms[i].armed && alarms[i].deadline < next)
            next = alarms[i].deadline;
    return next;
}

static size_t naive_count(void) {
    size_t count = 0;
    for (int i = 0; i < ALARMS; i++)
        count += alarms[i].armed;
    return count;
}

/* Random changes and advances. fire() checks that none fires early or out of order; here, that
 * nothing due is left after an advance but what was armed in the course of it, that wheel_next
 * is never too late, and that following it always gets somewhere. */
static void agrees_with_a_plain_list(void **state) {
    (void)state;
    world.random = test_random();
    TestRandom *random = &world.random;
    memset(alarms, 0, sizeof alarms);
    start((Nanos)test_random_below(random, 1ULL << 50));
    for (int step = 0; step < 100000; step++) {
        Alarm *alarm = &alarms[test_random_below(random, ALARMS)];
        alarm->then = test_random_below(random, 10) == 0 ? change_something : NULL;
        switch (test_random_below(random, 6)) {
        case 0:
        case 1:
        case 2:
            arm(alarm, world.now + random_delay());
            break;
        case 3:
            cancel(alarm);
            break;
        case 4:
            if (test_random_below(random, 20) == 0) {
                Nanos by = random_delay();
                wheel_postpone(&world.wheel, by);
                world.now += by;
                for (int i = 0; i < ALARMS; i++)
                    alarms[i].deadline += by;
            }
            break;
        default: {
            Nanos next = wheel_next(&world.wheel);
            assert_true(next <= naive_next());
            assert_int_equal(next == WHEEL_NEVER, naive_next() == WHEEL_NEVER);
            Nanos to = world.now + random_delay() / 10;
            bool changes = false;
            for (int i = 0; i < ALARMS; i++)
                changes |= alarms[i].armed && alarms[i].then;
            advance(to);
            assert_true(changes || naive_next() > to);
        }
        }
        assert_int_equal(world.wheel.count, naive_count());
    }
    for (int i = 0; i < ALARMS; i++)
        alarms[i].then = NULL;
    for (Nanos last = -1; naive_count() > 0;) {
        Nanos next = wheel_next(&world.wheel);
        assert_true(next > last && next <= naive_next());
        last = next > world.now ? next : world.now;
        advance(last);
        assert_true(naive_next() > last);
    }
    assert_int_equal(wheel_next(&world.wheel), WHEEL_NEVER);
}

static void many_in_one_tick_come_in_order(void **state) {
    (void)state;
    enum { MANY = 20000 };
    Alarm *many = calloc(MANY, sizeof *many);
    world.random = test_random();
    start(0);
    for (int i = 0; i < MANY; i++)
        arm(&many[i], 5 * MILLI + (Nanos)test_random_below(&world.random, MILLI));
    advance(6 * MILLI);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(many[i].fired, 1);
    free(many);
}

static Alarm *expected;

static void expect_in_turn(Alarm *alarm) {
    assert_ptr_equal(alarm, expected++);
}

static void equal_deadlines_fire_in_the_order_of_arming(void **state) {
    (void)state;
    static Alarm equals[1000];
    for (int looks = 0; looks < 3; looks++) {
        start(0);
        for (int i = 0; i < 1000; i++) {
            equals[i].then = expect_in_turn;
            arm(&equals[i], 10000 * MILLI + 5);
            if (i % 100 == 0)
                advance(i * 10 * MILLI); /* they go down the levels meanwhile */
        }
        expected = equals;
        for (int look = 0; look < looks; look++)
            advance(10000 * MILLI + look);
        assert_ptr_equal(expected, equals);
        advance(10000 * MILLI + 5);
        assert_ptr_equal(expected, equals + 1000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_neither_early_nor_late),
        cmocka_unit_test(past_deadlines_fire_at_the_next_advance),
        cmocka_unit_test(never_is_never),
        cmocka_unit_test(cancelling),
        cmocka_unit_test(a_later_deadline_costs_no_move),
        cmocka_unit_test(postponing_moves_all),
        cmocka_unit_test(now_may_step_back),
        cmocka_unit_test(firing_may_arm_and_cancel),
        cmocka_unit_test(firing_may_free_the_timer),
        cmocka_unit_test(agrees_with_a_plain_list),
        cmocka_unit_test(many_in_one_tick_come_in_order),
        cmocka_unit_test(equal_deadlines_fire_in_the_order_of_arming),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
