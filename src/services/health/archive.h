/* Keeps the timelines of health in the store, so that they survive restarts. What changed is
 * written in batches every ARCHIVE_INTERVAL, together with a mark that says until when the runtime
 * was there: the time from the mark to the next start counts as unknown.
 *
 *     health/alive                       google.protobuf.Timestamp, the mark
 *     health/rollup/RESOLUTION/START/SERVICE    runtime.v1.HealthSummary
 *     health/incident/START/SERVICE             runtime.v1.HealthIncident
 *
 * START is Unix milliseconds in 16 digits. */
#pragma once

#include "services/health/monitor.h"
#include "store/store.h"

#define ARCHIVE_INTERVAL (10 * NANOS_PER_SECOND)

typedef struct Archive Archive;

Archive *archive_new(World *world, Store *store, HealthMonitor *monitor);
void archive_free(Archive *archive);

/* Reads what earlier runs have left, then calls back, once, and begins to write. A negative error:
 * the store could not be read. */
void archive_start(Archive *archive, void (*done)(void *owner, int error), void *owner);

/* Writes all that is not stored yet; `done` is called when it is on the disk, or failed. */
void archive_stop(Archive *archive, void (*done)(void *owner), void *owner);
