/* What a line of output says: its level, text, time, correlation id and attributes, whatever
 * logging library wrote it. Understood are objects of JSON (pino, bunyan, zap, logrus, slog, winston,
 * serilog, ECS, GELF, Google's), logfmt, and plain lines that name a level where people look for
 * one (glog, syslog's <3>, [warn], "ERROR:", exceptions and panics). Pure functions. */
#pragma once

#include "base/clock.h"
#include "runtime/v1/logger.pb.h"
#include "services/logs/mask.h"

#define LINE_MESSAGE_MAX    (64 * 1024)
#define LINE_ATTRIBUTES_MAX 64
#define LINE_DEPTH_MAX      4
#define LINE_ID_MAX         128 /* of a correlation id; a longer one is cut */

/* Fills message, level, timestamp, nanoseconds, correlation_id and attributes of `entry` from the
 * bytes of one entry of output (one line, or several that belong together), and touches nothing
 * else of it. `arrival` is the time where the line does not say one with its zone; a line that
 * names no level is INFO, on standard error too. Everything lies in `raw` and the arena. */
void line_parse(Span raw, Nanos arrival, const Mask *mask, Arena *arena, RtLogEntry *entry);

/* ---- the forms, each by its file ---- */

/* line_object.c: fills `entry` from named values; takes those that it knows out of `object`. */
void line_object(PbStruct *object, Arena *arena, RtLogEntry *entry);

/* Cuts off what is nested too deep (it becomes null) and what is too many. True: something was. */
bool line_prune(PbStruct *object);

/* line_logfmt.c: key=value pairs and nothing else, a known key among them; false otherwise. */
bool line_logfmt(Span text, Arena *arena, PbStruct *ret);

/* line_plain.c: level, time and correlation id where the text has them. */
void line_plain(Span *text, RtLogEntry *entry);

/* The level that a word names ("WARN", "warning", "wrn" …), in any case; -1: none. */
int line_level(Span word);

/* The keys under which libraries put a correlation id ("request_id", "traceId" …). */
bool line_is_correlation(Span key);

static inline void line_set_time(RtLogEntry *entry, Nanos time) {
    entry->timestamp = time / NANOS_PER_MILLI;
    entry->nanoseconds = (int32_t)(time % NANOS_PER_MILLI);
}
