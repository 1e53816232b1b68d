/* A component: a part of the runtime that boot loads, starts and stops in the order of what
 * components require of each other (core/boot.h).
 *
 *     static const char *const REQUIRES[] = {"topology", NULL};
 *     const Component BROKER_COMPONENT = {
 *         .name = "broker", .description = "who offers which service, and where",
 *         .requires = REQUIRES, .load = load, .unload = unload,
 *     };
 *
 * All functions are called from the World's thread. */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "core/context.h"

/* A start or stop under way. It stays valid until `unload`, even when its time has run out; then
 * answers are ignored. */
typedef struct ComponentStep ComponentStep;

typedef struct Component {
    const char *name;
    const char *description;     /* what it is for, in a few words */
    const char *const *requires; /* names, ending with NULL; NULL = none */

    /* Makes its object, puts it into the context, adds its handlers to the server. Everything it
     * requires is loaded. Blocks if it must. Negative errno: the runtime does not start, `reason`
     * says why; then nothing is left behind, and `unload` is not called. */
    int (*load)(Context *context, Buf *reason);

    /* Begins its work: all is loaded, the context is sealed, what it requires has started. Answers
     * now or later by component_done or component_fail, once. NULL: nothing to do. */
    void (*start)(Context *context, ComponentStep *step);

    /* Ends its work, gracefully. Only after its `start` has succeeded; what requires it has
     * stopped. Answers likewise. NULL: nothing to do. */
    void (*stop)(Context *context, ComponentStep *step);

    /* Frees what `load` has made, whether it was started and stopped or not, and whatever hangs;
     * what requires it is unloaded. NULL: nothing to do. */
    void (*unload)(Context *context);

    Nanos start_limit, stop_limit; /* it hangs when it takes longer; 0 = COMPONENT_LIMIT */
} Component;

#define COMPONENT_LIMIT (10 * NANOS_PER_SECOND)

void component_done(ComponentStep *step);
void component_fail(ComponentStep *step, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
