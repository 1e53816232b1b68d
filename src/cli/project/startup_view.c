#include "cli/project/startup_view.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/project/service_view.h"
#include "cli/table.h"

static int rows(void) {
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row ? size.ws_row : 24;
}

static RtServiceState state_of(const RtServiceStatus *service) {
    return (RtServiceState)service->state;
}

/* It is where it is to be. */
static bool is_done(const StartupView *view, const RtServiceStatus *service) {
    RtServiceState state = state_of(service);
    if (!view->stopping)
        return service->disabled || state_is_good(state) || service_is_armed(service);
    return state == RT_SERVICE_STATE_STOPPED || state == RT_SERVICE_STATE_COMPLETED ||
           state == RT_SERVICE_STATE_FAILED || state == RT_SERVICE_STATE_SKIPPED;
}

/* What it waits for, or what is wrong. */
static void add_why(const RtServiceStatus *service, Buf *out) {
    RtServiceState state = state_of(service);
    bool missing = false;
    for (size_t i = 0; state == RT_SERVICE_STATE_WAITING && i < service->dependencies.count; i++) {
        const RtDependencyStatus *dependency = &service->dependencies.items[i];
        if (dependency->satisfied || !dependency->message.len)
            continue;
        buf_printf(out, "%s%.*s", missing ? ", " : "", SPAN_ARGS(dependency->message));
        missing = true;
    }
    if (missing)
        return;
    if (service->waiting_for.count) {
        buf_add_literal(out, "for ");
        add_names(out, service->waiting_for.items, service->waiting_for.count);
    } else if (service->last_error.len) {
        buf_add(out, service->last_error);
    } else if ((state == RT_SERVICE_STATE_STARTING || state == RT_SERVICE_STATE_UNHEALTHY ||
                state == RT_SERVICE_STATE_SKIPPED) &&
               service->health_message.len) {
        buf_add(out, service->health_message);
    }
}

static const char *mark(const StartupView *view, const RtServiceStatus *service) {
    static const char *const TURNING[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
    RtServiceState state = state_of(service);
    if (state == RT_SERVICE_STATE_FAILED)
        return "✗";
    if (is_done(view, service))
        return "✓";
    if (state == RT_SERVICE_STATE_WAITING || state_is_settled(state))
        return "·";
    return TURNING[view->phase % (sizeof TURNING / sizeof *TURNING)];
}

static void add_row(const StartupView *view, Table *table, const RtServiceStatus *service) {
    Style on = view->style;
    Buf why = {0}, ports = {0};
    const char *colour = style(on, state_style(state_of(service)));
    add_why(service, &why);
    add_ports(&ports, service->ports.items, service->ports.count);
    table_cell(table, colour, "%s", mark(view, service));
    table_cell(table, style_service(on, service->name), "%.*s", SPAN_ARGS(service->name));
    table_cell(table, colour, "%s", state_text(state_of(service)));
    table_cell(table, "", "%.*s", SPAN_ARGS(buf_span(&ports)));
    table_cell(table, style(on, STYLE_DIM), "%.*s", SPAN_ARGS(buf_span(&why)));
    buf_done(&why);
    buf_done(&ports);
}

static void add_summary(const StartupView *view, size_t done, size_t count, Nanos now, Buf *out) {
    buf_printf(out, "%s%zu of %zu %s · ", style(view->style, STYLE_DIM), done, count,
               view->stopping ? "stopped" : "ready");
    add_duration(out, now - view->began);
    buf_printf(out, "%s\n", style(view->style, STYLE_PLAIN));
}

void startup_view_clear(StartupView *view) {
    if (view->drawn)
        printf("\033[%zuA\r\033[J", view->drawn);
    view->drawn = 0;
    fflush(stdout);
}

/* All services where they fit on the screen, else those that are not done. */
void startup_view_draw(StartupView *view, const ServiceList *list, Nanos now) {
    static const char *const TITLES[] = {"", "", "", "", "", NULL};
    size_t room = rows() > 4 ? (size_t)rows() - 3 : 1, done = 0, count = 0, shown = 0;
    Table table;
    Buf out = {0}, text = {0};
    table_init(&table, view->style, TITLES);
    for (size_t i = 0; i < list->items.count; i++) {
        const RtServiceStatus *service = list->items.items[i]->status;
        if (service->disabled && state_of(service) == RT_SERVICE_STATE_STOPPED)
            continue;
        count++;
        done += is_done(view, service);
        if ((list->items.count <= room || !is_done(view, service)) && shown < room) {
            add_row(view, &table, service);
            shown++;
        }
    }
    view->phase++;
    table_write(&table, (size_t)style_columns(), &text);
    const char *end = memchr(text.ptr, '\n', text.len); /* without the empty titles */
    if (view->drawn)
        buf_printf(&out, "\033[%zuA\r", view->drawn);
    buf_add_literal(&out, "\033[J");
    buf_add(&out, span_skip(buf_span(&text), (size_t)(end + 1 - text.ptr)));
    add_summary(view, done, count, now, &out);
    fwrite(out.ptr, 1, out.len, stdout);
    fflush(stdout);
    view->drawn = shown + 1;
    table_done(&table);
    buf_done(&out);
    buf_done(&text);
}

static const ServiceItem *item_of(const ServiceList *list, Span name) {
    for (size_t i = 0; i < list->items.count; i++)
        if (span_equal(list->items.items[i]->status->name, name))
            return list->items.items[i];
    return NULL;
}

void startup_view_tell(const StartupView *view, const ServiceList *list,
                       const RtWatchServicesResponse *change) {
    Style on = view->style;
    for (size_t i = 0; i < change->services.count; i++) {
        const ServiceItem *item = item_of(list, change->services.items[i].name);
        if (!item || item->before == state_of(item->status) ||
            (item->before == RT_SERVICE_STATE_UNSPECIFIED &&
             (view->stopping || state_of(item->status) == RT_SERVICE_STATE_STOPPED)))
            continue;
        Buf why = {0};
        add_why(item->status, &why);
        printf("%s%.*s%s: %s%s%.*s\n", style_service(on, item->status->name),
               SPAN_ARGS(item->status->name), style(on, STYLE_PLAIN),
               state_text(state_of(item->status)), why.len ? ": " : "", SPAN_ARGS(buf_span(&why)));
        buf_done(&why);
    }
    fflush(stdout);
}
