/* Boot: puts the runtime together, starts it, and takes it apart again (wippy-architecture.md's
 * boot sequence), in four phases:
 *
 *     infrastructure   who calls us fills the Context with it
 *     load             components in the order of what they require
 *     activation       the context is sealed; components start, level by level
 *     entries          the stages of core/entries.h run
 *
 * A component's level is one above the highest of those it requires, 0 when it requires none. A
 * level starts when the one below has started; within it all start without awaiting each other.
 * Stopping goes down the levels in the same way, and unloading follows the reverse of loading. So
 * the order depends on what is required, never on the order of declaration: components of a level
 * are in the order of their names. */
#pragma once

#include "core/component.h"

typedef struct Boot Boot;

/* Sorts the components, which (like the Context) outlive the Boot. -EINVAL: a name is there twice,
 * a required one is not there, or they require each other in a circle; `reason` names them. */
int boot_new(Context *context, const Component *const *components, size_t count, Boot **ret_boot,
             Buf *reason);

/* Unloads what is loaded, and frees it. Not while it starts or stops. */
void boot_free(Boot *boot);

/* Loads all. When one fails, those loaded before it are unloaded; `reason` names it. */
int boot_load(Boot *boot, Buf *reason);

/* How starting or stopping has ended: 0, or a negative errno and why (valid during the call). */
typedef void BootDone(void *owner, int error, Span reason);

/* Seals the context, starts the components, runs the stages of the entries. `done` comes from the
 * loop or from inside the call. When a component fails, or hangs beyond its limit (-ETIMEDOUT),
 * those of its level that still start may finish, then all that have started are stopped, and
 * `done` names it. Once boot_stop was called it is -ECANCELED. */
void boot_start(Boot *boot, BootDone *done, void *owner);

/* Stops what has started; while it starts, as soon as the level under way is through. A component
 * that hangs is passed over after its limit: then -ETIMEDOUT, with all such named. Once. */
void boot_stop(Boot *boot, BootDone *done, void *owner);

/* ---- what is there ---- */

/* The numbers are those of runtime.v1.ComponentState. */
typedef enum BootState {
    BOOT_DECLARED = 1,
    BOOT_LOADED,
    BOOT_STARTING,
    BOOT_RUNNING,
    BOOT_STOPPING,
    BOOT_STOPPED,
    BOOT_FAILED,
} BootState;

typedef struct BootComponent {
    const Component *component;
    uint32_t level;
    BootState state;
    Nanos took; /* load and start together */
    Span error; /* why it failed; empty otherwise */
} BootComponent;

size_t boot_count(const Boot *boot);
/* In the order of starting. */
BootComponent boot_component(const Boot *boot, size_t index);
