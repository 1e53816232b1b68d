/* How services and what happens to them look, in every command alike. */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "cli/style.h"
#include "runtime/v1/orchestrator.pb.h"
#include "runtime/v1/service.pb.h"

#define ORCHESTRATOR_METHOD(name)                                                                  \
    (&RtOrchestratorService_service.methods[RtOrchestratorService_##name])

/* "healthy", "backing off" */
const char *state_text(RtServiceState state);
const char *health_text(RtHealthState health);
const char *event_text(RtServiceEventType type);

/* Good: as it should be; bad: failed or unhealthy; busy: on its way; dim: not meant to run. */
StyleKind state_style(RtServiceState state);
StyleKind event_style(RtServiceEventType type);

/* Being started has come to its end, good or bad. */
bool state_is_settled(RtServiceState state);
bool state_is_good(RtServiceState state);
/* It runs by a schedule, and that is in force: then it is ready, between its runs too. */
bool service_is_armed(const RtServiceStatus *service);

/* "850 ms", "1.2 s", "3 min", "2 h", "5 d" */
void add_duration(Buf *out, Nanos time);
/* "0 B", "12.3 MB" (of 1024 × 1024) */
void add_bytes(Buf *out, int64_t bytes);
/* ":8080, :8081" */
void add_ports(Buf *out, const int32_t *ports, size_t count);
/* "api, db" */
void add_names(Buf *out, const Span *names, size_t count);
/* How it exited: "exited with code 1", "ended by SIGKILL"; nothing where it did not. */
void add_exit(Buf *out, const RtServiceStatus *service);
/* "14:03:07.120", local time */
void add_time_of_day(Buf *out, int64_t unix_ms);

/* Prints what became of starting services, failures with their last lines; quiet: those only. */
void print_start_results(Style style, const RtServiceStartResult *results, size_t count,
                         bool quiet);
