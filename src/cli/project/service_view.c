#include "cli/project/service_view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *text;
    StyleKind style;
} STATES[] = {
    [RT_SERVICE_STATE_UNSPECIFIED] = {"unknown", STYLE_DIM},
    [RT_SERVICE_STATE_PENDING] = {"pending", STYLE_BUSY},
    [RT_SERVICE_STATE_WAITING] = {"waiting", STYLE_BUSY},
    [RT_SERVICE_STATE_STARTING] = {"starting", STYLE_BUSY},
    [RT_SERVICE_STATE_RUNNING] = {"running", STYLE_GOOD},
    [RT_SERVICE_STATE_HEALTHY] = {"healthy", STYLE_GOOD},
    [RT_SERVICE_STATE_UNHEALTHY] = {"unhealthy", STYLE_BAD},
    [RT_SERVICE_STATE_BACKING_OFF] = {"backing off", STYLE_BAD},
    [RT_SERVICE_STATE_STOPPING] = {"stopping", STYLE_BUSY},
    [RT_SERVICE_STATE_STOPPED] = {"stopped", STYLE_DIM},
    [RT_SERVICE_STATE_COMPLETED] = {"completed", STYLE_GOOD},
    [RT_SERVICE_STATE_FAILED] = {"failed", STYLE_BAD},
    [RT_SERVICE_STATE_SKIPPED] = {"skipped", STYLE_DIM},
    [RT_SERVICE_STATE_ADOPTED] = {"adopted", STYLE_BUSY},
};
#define STATE_COUNT (sizeof STATES / sizeof *STATES)

static const struct {
    const char *text;
    StyleKind style;
} EVENTS[] = {
    [RT_SERVICE_EVENT_TYPE_UNSPECIFIED] = {"event", STYLE_PLAIN},
    [RT_SERVICE_EVENT_TYPE_STARTED] = {"started", STYLE_PLAIN},
    [RT_SERVICE_EVENT_TYPE_STOPPED] = {"stopped", STYLE_PLAIN},
    [RT_SERVICE_EVENT_TYPE_FAILED] = {"failed", STYLE_BAD},
    [RT_SERVICE_EVENT_TYPE_HEALTH_CHECK_FAILED] = {"check failed", STYLE_BUSY},
    [RT_SERVICE_EVENT_TYPE_WAITING] = {"waiting", STYLE_BUSY},
    [RT_SERVICE_EVENT_TYPE_HEALTHY] = {"healthy", STYLE_GOOD},
    [RT_SERVICE_EVENT_TYPE_UNHEALTHY] = {"unhealthy", STYLE_BAD},
    [RT_SERVICE_EVENT_TYPE_EXITED] = {"exited", STYLE_PLAIN},
    [RT_SERVICE_EVENT_TYPE_BACKING_OFF] = {"backing off", STYLE_BAD},
    [RT_SERVICE_EVENT_TYPE_COMPLETED] = {"completed", STYLE_GOOD},
    [RT_SERVICE_EVENT_TYPE_SKIPPED] = {"skipped", STYLE_DIM},
    [RT_SERVICE_EVENT_TYPE_ADOPTED] = {"adopted", STYLE_PLAIN},
    [RT_SERVICE_EVENT_TYPE_STOPPING] = {"stopping", STYLE_PLAIN},
    [RT_SERVICE_EVENT_TYPE_STOP_WAITING] = {"still stopping", STYLE_BUSY},
    [RT_SERVICE_EVENT_TYPE_PORT_CONFLICT] = {"port conflict", STYLE_BAD},
    [RT_SERVICE_EVENT_TYPE_RESTARTING] = {"restarting", STYLE_PLAIN},
    [RT_SERVICE_EVENT_TYPE_SCALED] = {"scaled", STYLE_PLAIN},
    [RT_SERVICE_EVENT_TYPE_SIGNALLED] = {"signalled", STYLE_PLAIN},
    [RT_SERVICE_EVENT_TYPE_COMMAND_RUN] = {"command run", STYLE_PLAIN},
    [RT_SERVICE_EVENT_TYPE_INPUT_SENT] = {"input sent", STYLE_PLAIN},
    [RT_SERVICE_EVENT_TYPE_FILE_CHANGED] = {"file changed", STYLE_PLAIN},
    [RT_SERVICE_EVENT_TYPE_CONFIGURATION_APPLIED] = {"configuration applied", STYLE_PLAIN},
    [RT_SERVICE_EVENT_TYPE_CONFIGURATION_REFUSED] = {"configuration refused", STYLE_BAD},
    [RT_SERVICE_EVENT_TYPE_OUTPUT_LOST] = {"output lost", STYLE_BAD},
    [RT_SERVICE_EVENT_TYPE_RUNTIME_STARTED] = {"runtime started", STYLE_PLAIN},
    [RT_SERVICE_EVENT_TYPE_RUNTIME_STOPPING] = {"runtime stopping", STYLE_PLAIN},
    [RT_SERVICE_EVENT_TYPE_SCHEDULE_MISSED] = {"schedule missed", STYLE_BUSY},
    [RT_SERVICE_EVENT_TYPE_FAULT_INJECTED] = {"fault injected", STYLE_BUSY},
    [RT_SERVICE_EVENT_TYPE_FAULT_CLEARED] = {"fault cleared", STYLE_PLAIN},
    [RT_SERVICE_EVENT_TYPE_LOAD_STARTED] = {"load started", STYLE_PLAIN},
    [RT_SERVICE_EVENT_TYPE_LOAD_ENDED] = {"load ended", STYLE_PLAIN},
};
#define EVENT_COUNT (sizeof EVENTS / sizeof *EVENTS)

/* A newer runtime may say more than we know. */
static size_t known(int32_t value, size_t count) {
    return value >= 0 && (size_t)value < count ? (size_t)value : 0;
}

const char *state_text(RtServiceState state) {
    return STATES[known(state, STATE_COUNT)].text;
}

StyleKind state_style(RtServiceState state) {
    return STATES[known(state, STATE_COUNT)].style;
}

const char *event_text(RtServiceEventType type) {
    return EVENTS[known(type, EVENT_COUNT)].text;
}

StyleKind event_style(RtServiceEventType type) {
    return EVENTS[known(type, EVENT_COUNT)].style;
}

const char *health_text(RtHealthState health) {
    static const char *const TEXTS[] = {"–", "starting", "healthy", "degraded", "unhealthy"};
    return TEXTS[known(health, sizeof TEXTS / sizeof *TEXTS)];
}

bool state_is_good(RtServiceState state) {
    return state == RT_SERVICE_STATE_RUNNING || state == RT_SERVICE_STATE_HEALTHY ||
           state == RT_SERVICE_STATE_COMPLETED;
}

bool service_is_armed(const RtServiceStatus *service) {
    return service->kind == RT_SERVICE_KIND_SCHEDULED && service->next_start_ms;
}

bool state_is_settled(RtServiceState state) {
    return state_is_good(state) || state == RT_SERVICE_STATE_FAILED ||
           state == RT_SERVICE_STATE_SKIPPED || state == RT_SERVICE_STATE_STOPPED;
}

void add_duration(Buf *out, Nanos time) {
    int64_t ms = time > 0 ? time / NANOS_PER_MILLI : 0, seconds = ms / 1000;
    if (seconds < 1)
        buf_printf(out, "%d ms", (int)ms);
    else if (seconds < 60)
        buf_printf(out, "%d.%d s", (int)seconds, (int)(ms % 1000 / 100));
    else if (seconds < 3600)
        buf_printf(out, "%d min", (int)(seconds / 60));
    else if (seconds < 48 * 3600)
        buf_printf(out, "%d h", (int)(seconds / 3600));
    else
        buf_printf(out, "%lld d", (long long)(seconds / 86400));
}

void add_bytes(Buf *out, int64_t bytes) {
    static const char *const UNITS[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < sizeof UNITS / sizeof *UNITS) {
        value /= 1024;
        unit++;
    }
    buf_printf(out, "%.*f %s", unit && value < 100 ? 1 : 0, value, UNITS[unit]);
}

void add_ports(Buf *out, const int32_t *ports, size_t count) {
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s:%d", i ? ", " : "", ports[i]);
}

void add_names(Buf *out, const Span *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%.*s", i ? ", " : "", SPAN_ARGS(names[i]));
}

void add_exit(Buf *out, const RtServiceStatus *service) {
    if (service->has_exit_signal) {
        const char *name = sigabbrev_np(service->exit_signal);
        if (name)
            buf_printf(out, "ended by SIG%s", name);
        else
            buf_printf(out, "ended by signal %d", service->exit_signal);
    } else if (service->has_exit_code) {
        buf_printf(out, "exited with code %d", service->exit_code);
    }
}

void add_time_of_day(Buf *out, int64_t unix_ms) {
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm local;
    localtime_r(&seconds, &local);
    buf_printf(out, "%02d:%02d:%02d.%03d", local.tm_hour, local.tm_min, local.tm_sec,
               (int)(unix_ms % 1000));
}

/* A line of a service's output, with what would move the cursor taken out. */
static void print_excerpt(Style on, Span line) {
    printf("  %s│%s ", style(on, STYLE_BAD), style(on, STYLE_PLAIN));
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        putchar(c < ' ' && c != '\t' ? '?' : c);
    }
    putchar('\n');
}

void print_start_results(Style on, const RtServiceStartResult *results, size_t count, bool quiet) {
    for (size_t i = 0; i < count; i++) {
        const RtServiceStartResult *result = &results[i];
        if (result->success && quiet)
            continue;
        Buf took = {0};
        add_duration(&took, result->duration_ms * NANOS_PER_MILLI);
        printf("%s%s%s %s%.*s%s %s", style(on, result->success ? STYLE_GOOD : STYLE_BAD),
               result->success ? "✓" : "✗", style(on, STYLE_PLAIN), style_service(on, result->name),
               SPAN_ARGS(result->name), style(on, STYLE_PLAIN), state_text(result->state));
        if (result->attempts)
            printf(" (%.*s)", SPAN_ARGS(buf_span(&took)));
        if (result->error.len)
            printf(": %.*s", SPAN_ARGS(result->error));
        putchar('\n');
        for (size_t j = 0; !result->success && j < result->last_output.count; j++)
            print_excerpt(on, result->last_output.items[j]);
        buf_done(&took);
    }
    fflush(stdout);
}
