#include "core/boot.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "core/entries.h"
#include "core/order.h"
#include "os/world.h"

struct ComponentStep {
    Boot *boot;
    const Component *component;
    uint32_t level;
    BootState state;
    Timer limit;  /* armed while an answer is awaited */
    bool awaited; /* an answer still counts */
    Nanos began;  /* this step, on the wall clock, which alone moves within a turn */
    Nanos took;
    Buf error;
};

typedef struct Waiter {
    BootDone *done;
    void *owner;
} Waiter;

struct Boot {
    Context *context;
    size_t count;
    size_t loaded; /* the first so many are */
    enum { BOOT_IDLE, BOOT_GOING_UP, BOOT_UP, BOOT_GOING_DOWN, BOOT_DOWN } course;
    uint32_t level; /* under way */
    size_t awaited; /* answers */
    bool advancing; /* advance is running */
    bool cancelled; /* boot_stop was called while going up */
    int error;      /* the first of the present course … */
    Buf reason;     /* … and all, told at its end */
    Waiter start, stop;
    ComponentStep steps[]; /* in the order of starting */
};

static World *world_of(const Boot *boot) {
    return infrastructure_of(boot->context)->world;
}

/* ---- making and loading ---- */

int boot_new(Context *context, const Component *const *components, size_t count, Boot **ret_boot,
             Buf *reason) {
    OrderItem *items = xcalloc(count + 1, sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = (OrderItem){components[i]->name, components[i]->requires, components[i], 0};
    int error = order_sort(items, count, reason);
    if (!error) {
        Boot *boot = xcalloc(1, sizeof *boot + count * sizeof *boot->steps);
        boot->context = context;
        boot->count = count;
        for (size_t i = 0; i < count; i++)
            boot->steps[i] = (ComponentStep){.boot = boot,
                                             .component = items[i].owner,
                                             .level = items[i].level,
                                             .state = BOOT_DECLARED};
        *ret_boot = boot;
    }
    free(items);
    return error;
}

static void unload_all(Boot *boot) {
    while (boot->loaded) {
        const Component *component = boot->steps[--boot->loaded].component;
        if (component->unload)
            component->unload(boot->context);
    }
}

void boot_free(Boot *boot) {
    if (!boot)
        return;
    assert(boot->course != BOOT_GOING_UP && boot->course != BOOT_GOING_DOWN);
    unload_all(boot);
    for (size_t i = 0; i < boot->count; i++)
        buf_done(&boot->steps[i].error);
    buf_done(&boot->reason);
    free(boot);
}

/* The time since `began`, also where the clock was set back meanwhile. */
static Nanos passed(const Boot *boot, Nanos began) {
    Nanos now = world_wall(world_of(boot));
    return now > began ? now - began : 0;
}

int boot_load(Boot *boot, Buf *reason) {
    for (; boot->loaded < boot->count; boot->loaded++) {
        ComponentStep *step = &boot->steps[boot->loaded];
        step->began = world_wall(world_of(boot));
        int error = step->component->load(boot->context, &step->error);
        step->took = passed(boot, step->began);
        step->state = error < 0 ? BOOT_FAILED : BOOT_LOADED;
        if (error < 0) {
            buf_printf(reason, "%s cannot be loaded: %.*s", step->component->name,
                       SPAN_ARGS(buf_span(&step->error)));
            unload_all(boot);
            return error;
        }
    }
    return 0;
}

/* ---- steps ---- */

static void advance(Boot *boot);

static void fail(ComponentStep *step, int error) {
    Boot *boot = step->boot;
    step->state = BOOT_FAILED;
    if (!boot->error)
        boot->error = error;
    if (boot->reason.len)
        buf_add_literal(&boot->reason, "; ");
    buf_printf(&boot->reason, "%s %.*s", step->component->name, SPAN_ARGS(buf_span(&step->error)));
}

static bool take_answer(ComponentStep *step) {
    if (!step->awaited)
        return false;
    step->awaited = false;
    step->boot->awaited--;
    wheel_cancel(world_wheel(world_of(step->boot)), &step->limit);
    if (step->state == BOOT_STARTING)
        step->took += passed(step->boot, step->began);
    return true;
}

void component_done(ComponentStep *step) {
    if (!take_answer(step))
        return;
    step->state = step->state == BOOT_STARTING ? BOOT_RUNNING : BOOT_STOPPED;
    advance(step->boot);
}

void component_fail(ComponentStep *step, const char *format, ...) {
    if (!take_answer(step))
        return;
    va_list args;
    va_start(args, format);
    buf_printf(&step->error, "cannot %s: ", step->state == BOOT_STARTING ? "start" : "stop");
    buf_vprintf(&step->error, format, args);
    va_end(args);
    fail(step, -EIO);
    advance(step->boot);
}

static Nanos limit_of(const ComponentStep *step) {
    bool starting = step->state == BOOT_STARTING;
    Nanos limit = starting ? step->component->start_limit : step->component->stop_limit;
    return limit ? limit : COMPONENT_LIMIT;
}

static void on_limit(Timer *timer) {
    ComponentStep *step = CONTAINER(timer, ComponentStep, limit);
    Nanos limit = limit_of(step);
    take_answer(step);
    buf_printf(&step->error, "did not %s within %lld ms",
               step->state == BOOT_STARTING ? "start" : "stop",
               (long long)(limit / NANOS_PER_MILLI));
    fail(step, -ETIMEDOUT);
    advance(step->boot);
}

/* Begins to start or to stop it; its answer may come at once. */
static void begin(ComponentStep *step, BootState state,
                  void (*work)(Context *context, ComponentStep *step)) {
    World *world = world_of(step->boot);
    step->state = state;
    step->began = world_wall(world);
    step->awaited = true;
    step->boot->awaited++;
    step->limit.fire = on_limit;
    wheel_arm(world_wheel(world), &step->limit, world_now(world) + limit_of(step));
    if (work)
        work(step->boot->context, step);
    else
        component_done(step);
}

/* ---- courses ---- */

static void start_level(Boot *boot) {
    for (size_t i = 0; i < boot->count; i++)
        if (boot->steps[i].level == boot->level)
            begin(&boot->steps[i], BOOT_STARTING, boot->steps[i].component->start);
}

static void stop_level(Boot *boot) {
    for (size_t i = boot->count; i-- > 0;)
        if (boot->steps[i].level == boot->level && boot->steps[i].state == BOOT_RUNNING)
            begin(&boot->steps[i], BOOT_STOPPING, boot->steps[i].component->stop);
}

static uint32_t levels(const Boot *boot) {
    return boot->count ? boot->steps[boot->count - 1].level + 1 : 0;
}

/* Everything below `level` (not included) is to be stopped. */
static void turn_down(Boot *boot, uint32_t level) {
    boot->course = BOOT_GOING_DOWN;
    boot->level = level;
}

static void enter_entries(Boot *boot) {
    boot->error = entries_run(infrastructure_of(boot->context)->entries, &boot->reason);
    if (boot->error)
        turn_down(boot, levels(boot));
    else
        boot->course = BOOT_UP;
}

/* All of the level under way have answered. */
static void next_level(Boot *boot) {
    if (boot->course == BOOT_GOING_DOWN) {
        if (boot->level == 0)
            boot->course = BOOT_DOWN;
        else
            boot->level--;
        if (boot->course == BOOT_GOING_DOWN)
            stop_level(boot);
        return;
    }
    if (boot->cancelled && !boot->error) {
        boot->error = -ECANCELED;
        buf_add_literal(&boot->reason, "stopped while it started");
    }
    if (boot->error)
        turn_down(boot, boot->level < levels(boot) ? boot->level + 1 : boot->level);
    else if (boot->level + 1 < levels(boot)) {
        boot->level++;
        start_level(boot);
    } else {
        enter_entries(boot);
    }
}

/* Tells who waits. They may free the Boot in the last call. */
static void tell(Boot *boot) {
    Waiter start = boot->start, stop = boot->course == BOOT_DOWN ? boot->stop : (Waiter){0};
    int error = boot->error;
    Buf reason = boot->reason;
    boot->reason = (Buf){0};
    boot->start = (Waiter){0};
    if (boot->course == BOOT_DOWN)
        boot->stop = (Waiter){0};
    boot->error = 0;
    if (start.done)
        start.done(start.owner, error, buf_span(&reason));
    if (stop.done)
        stop.done(stop.owner, start.done ? 0 : error, start.done ? SPAN("") : buf_span(&reason));
    buf_done(&reason);
}

/* Goes on until answers are awaited, or the course is at its end. */
static void advance(Boot *boot) {
    if (boot->advancing)
        return;
    boot->advancing = true;
    while (!boot->awaited && (boot->course == BOOT_GOING_UP || boot->course == BOOT_GOING_DOWN))
        next_level(boot);
    boot->advancing = false;
    if (!boot->awaited)
        tell(boot);
}

void boot_start(Boot *boot, BootDone *done, void *owner) {
    assert(boot->course == BOOT_IDLE && boot->loaded == boot->count);
    context_seal(boot->context);
    boot->start = (Waiter){done, owner};
    boot->course = BOOT_GOING_UP;
    boot->advancing = true;
    start_level(boot);
    boot->advancing = false;
    advance(boot);
}

void boot_stop(Boot *boot, BootDone *done, void *owner) {
    boot->stop = (Waiter){done, owner};
    if (boot->course == BOOT_GOING_UP) {
        boot->cancelled = true;
        return;
    }
    if (boot->course == BOOT_GOING_DOWN) /* since the start has failed: that is told first */
        return;
    turn_down(boot, boot->course == BOOT_UP ? levels(boot) : 0);
    advance(boot);
}

/* ---- what is there ---- */

size_t boot_count(const Boot *boot) {
    return boot->count;
}

BootComponent boot_component(const Boot *boot, size_t index) {
    const ComponentStep *step = &boot->steps[index];
    return (BootComponent){step->component, step->level, step->state, step->took,
                           buf_span(&step->error)};
}
