/* Dependencies on a line of output: waited for in what each life of the dependency prints. */
#include <stdlib.h>

#include "base/memory.h"
#include "services/orchestrator/internal.h"

typedef struct LineWatch {
    Link link;
    Instance *instance; /* who is to print it */
    Service *dependant;
    size_t edge; /* of the dependant's node */
    LogWatch *watch;
} LineWatch;

static PlanEdge *edge_of(const Service *dependant, size_t edge) {
    return &dependant->orchestrator->plan.nodes.items[dependant->index].edges.items[edge];
}

static void line_watch_free(LineWatch *line) {
    if (line->watch)
        logs_unwatch(line->watch);
    list_remove(&line->link);
    free(line);
}

static void on_line(void *owner, Span text) {
    (void)text;
    LineWatch *line = owner;
    edge_of(line->dependant, line->edge)->line_seen = true;
    orchestrator_touch(line->dependant->orchestrator);
    line->watch = NULL;
    line_watch_free(line);
}

static void wait_for(Instance *instance, Service *dependant, size_t edge) {
    Orchestrator *orchestrator = dependant->orchestrator;
    LineWatch *line = xcalloc(1, sizeof *line);
    Buf reason = {0};
    line->instance = instance;
    line->dependant = dependant;
    line->edge = edge;
    list_push_back(&orchestrator->lines, &line->link);
    if (logs_watch(orchestrator->logs, buf_span(&instance->last_id),
                   dependant->config->dependencies.items[edge].pattern, on_line, line, &line->watch,
                   &reason) < 0) {
        service_event(dependant, RT_SERVICE_EVENT_TYPE_WAITING, SPAN("configuration"),
                      "the line of %s cannot be waited for: %.*s", instance->service->name,
                      SPAN_ARGS(buf_span(&reason)));
        line->watch = NULL;
        line_watch_free(line);
    }
    buf_done(&reason);
}

void lines_begin(Instance *instance) {
    Orchestrator *orchestrator = instance->service->orchestrator;
    for (size_t s = 0; orchestrator->logs && s < orchestrator->services.count; s++) {
        Service *dependant = orchestrator->services.items[s];
        PlanNode *node = &orchestrator->plan.nodes.items[s];
        for (size_t e = 0; e < node->edges.count; e++) {
            PlanEdge *edge = &node->edges.items[e];
            if (edge->to != instance->service->index ||
                edge->condition != RT_DEPENDENCY_CONDITION_LOG_LINE)
                continue;
            edge->line_seen = false;
            wait_for(instance, dependant, e);
        }
    }
}

void lines_end(Instance *instance) {
    LIST_EACH (&instance->service->orchestrator->lines, link) {
        LineWatch *line = CONTAINER(link, LineWatch, link);
        if (line->instance == instance)
            line_watch_free(line);
    }
}

void lines_drop(Orchestrator *orchestrator) {
    LIST_EACH (&orchestrator->lines, link)
        line_watch_free(CONTAINER(link, LineWatch, link));
}

void lines_again(Orchestrator *orchestrator) {
    lines_drop(orchestrator);
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        Service *service = orchestrator->services.items[s];
        for (size_t i = 0; i < service->instances.count; i++)
            if (service->instances.items[i]->life)
                lines_begin(service->instances.items[i]);
    }
}
