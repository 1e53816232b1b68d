/* A tick is a number of eight digits of six bits. A timer stands at the level of the highest
 * digit in which its tick differs from the wheel's, in the slot of that digit; in the slot of
 * the lowest digit when none differs. So a level holds only what comes after the wheel's own
 * slot there, all of a lower level comes before all of a higher one, and nothing ever wraps
 * round. When the wheel enters a slot of a higher level, that slot's timers go to lower ones.
 *
 * Postponing slows the wheel's own clock down instead of moving timers: inside, time is the
 * caller's less `postponed`. */
#include "base/wheel.h"

#include <assert.h>

#define DIGIT_BITS 6

static int64_t tick_of(Nanos instant) {
    return instant < 0 ? 0 : instant / WHEEL_TICK;
}

static int digit(int64_t tick, int level) {
    return (int)(tick >> (level * DIGIT_BITS)) & (WHEEL_SLOTS - 1);
}

/* The tick at which the slot of that level comes up next. */
static int64_t slot_start(const Wheel *wheel, int level, int slot) {
    int shift = level * DIGIT_BITS;
    return (wheel->tick >> (shift + DIGIT_BITS) << DIGIT_BITS | slot) << shift;
}

void wheel_init(Wheel *wheel, Nanos now) {
    *wheel = (Wheel){.tick = tick_of(now)};
    list_init(&wheel->due);
    for (int level = 0; level < WHEEL_LEVELS; level++)
        for (int slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&wheel->slots[level][slot]);
}

bool timer_is_armed(const Timer *timer) {
    return timer->link.next && !list_empty(&timer->link);
}

static void file(Wheel *wheel, Timer *timer) {
    int64_t tick = tick_of(timer->deadline);
    if (tick < wheel->tick)
        tick = wheel->tick;
    uint64_t differing = (uint64_t)(tick ^ wheel->tick);
    int level = differing ? (63 - __builtin_clzll(differing)) / DIGIT_BITS : 0;
    int slot = digit(tick, level);
    timer->filed = timer->deadline;
    wheel->used[level] |= UINT64_C(1) << slot;
    list_push_back(&wheel->slots[level][slot], &timer->link);
}

void wheel_cancel(Wheel *wheel, Timer *timer) {
    if (!timer_is_armed(timer))
        return;
    list_remove(&timer->link);
    wheel->count--;
}

void wheel_arm(Wheel *wheel, Timer *timer, Nanos deadline) {
    assert(timer->fire);
    timer->deadline = deadline - wheel->postponed;
    if (timer_is_armed(timer)) {
        if (timer->deadline >= timer->filed)
            return;
        wheel_cancel(wheel, timer);
    }
    wheel->count++;
    file(wheel, timer);
}

/* An instant of the wheel's own clock on the caller's. */
static Nanos to_caller(const Wheel *wheel, Nanos instant) {
    Nanos sum;
    return __builtin_add_overflow(instant, wheel->postponed, &sum) ? WHEEL_NEVER : sum;
}

Nanos timer_deadline(const Wheel *wheel, const Timer *timer) {
    return to_caller(wheel, timer->deadline);
}

void wheel_postpone(Wheel *wheel, Nanos by) {
    assert(by >= 0);
    wheel->postponed += by;
}

/* ---- Finding what comes next ---------------------------------------------------------------- */

/* The earliest slot that holds timers. False when there is none. */
static bool first_slot(Wheel *wheel, int *ret_level, int *ret_slot) {
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        while (wheel->used[level]) {
            int slot = __builtin_ctzll(wheel->used[level]);
            if (!list_empty(&wheel->slots[level][slot])) {
                *ret_level = level;
                *ret_slot = slot;
                return true;
            }
            wheel->used[level] &= ~(UINT64_C(1) << slot); /* all that stood there was cancelled */
        }
    }
    return false;
}

Nanos wheel_next(Wheel *wheel) {
    int level, slot;
    if (!first_slot(wheel, &level, &slot))
        return WHEEL_NEVER;
    if (level > 0)
        return to_caller(wheel, slot_start(wheel, level, slot) * WHEEL_TICK);
    Nanos first = WHEEL_NEVER;
    LIST_EACH (&wheel->slots[0][slot], link) {
        const Timer *timer = CONTAINER(link, Timer, link);
        if (timer->filed < first)
            first = timer->filed;
    }
    return to_caller(wheel, first);
}

/* ---- Advancing ------------------------------------------------------------------------------ */

/* Moves all links of one list to another, which is empty. */
static void move_all(Link *from, Link *to) {
    list_init(to);
    if (list_empty(from))
        return;
    *to = *from;
    to->next->prev = to->prev->next = to;
    list_init(from);
}

/* One chain (linked by `next` alone, ended by NULL) of two that are in order of deadlines; of
 * equal ones those of `a` come first. */
static Link *merge(Link *a, Link *b) {
    Link *first = NULL, **end = &first;
    while (a && b) {
        bool take_b = CONTAINER(b, Timer, link)->deadline < CONTAINER(a, Timer, link)->deadline;
        Link **from = take_b ? &b : &a;
        *end = *from;
        end = &(*end)->next;
        *from = (*from)->next;
    }
    *end = a ? a : b;
    return first;
}

/* Takes the timers of one list, sorts them by deadline, and puts them at the end of another. */
static void append_sorted(Link *from, Link *to) {
    Link *runs[64] = {0}; /* runs[i]: a chain of 2^i timers in order, earlier than those below */
    for (Link *link; (link = list_pop_front(from));) {
        link->next = NULL;
        int i = 0;
        for (; runs[i]; i++) {
            link = merge(runs[i], link);
            runs[i] = NULL;
        }
        runs[i] = link;
    }
    Link *sorted = NULL;
    for (int i = 0; i < 64; i++)
        if (runs[i])
            sorted = merge(runs[i], sorted);
    for (Link *next; sorted; sorted = next) {
        next = sorted->next;
        list_push_back(to, sorted);
    }
}

/* Empties a slot that the wheel has entered: what falls in this tick goes to `due`, the rest
 * where it belongs now. */
static void empty_slot(Wheel *wheel, int level, int slot) {
    Link timers, due;
    move_all(&wheel->slots[level][slot], &timers);
    list_init(&due);
    for (Link *link; (link = list_pop_front(&timers));) {
        Timer *timer = CONTAINER(link, Timer, link);
        if (level == 0 && tick_of(timer->deadline) <= wheel->tick)
            list_push_back(&due, link);
        else
            file(wheel, timer);
    }
    append_sorted(&due, &wheel->due);
}

/* Takes all timers up to that tick out of the slots and makes it the wheel's. */
static void collect_due(Wheel *wheel, int64_t tick) {
    for (int level, slot; first_slot(wheel, &level, &slot);) {
        int64_t start = slot_start(wheel, level, slot);
        if (start > tick)
            break;
        wheel->tick = start;
        empty_slot(wheel, level, slot);
    }
    wheel->tick = tick;
}

void wheel_advance(Wheel *wheel, Nanos now) {
    assert(list_empty(&wheel->due));
    now -= wheel->postponed;
    int64_t tick = tick_of(now);
    collect_due(wheel, tick > wheel->tick ? tick : wheel->tick);
    for (Link *link; (link = list_pop_front(&wheel->due));) {
        Timer *timer = CONTAINER(link, Timer, link);
        if (timer->deadline > now) {
            file(wheel, timer); /* due later in this tick, or armed anew by one that just fired */
        } else {
            wheel->count--;
            timer->fire(timer);
        }
    }
}
