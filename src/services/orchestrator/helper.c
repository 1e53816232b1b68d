#include "services/orchestrator/helper.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

struct Helper {
    Child child;
    Link link;
    Orchestrator *orchestrator;
    const HelperOps *ops; /* NULL: nobody wants to hear */
    void *owner;
    bool exited, abandoned;
};

static void helper_free(Helper *helper) {
    orchestrator_remove_child(helper->orchestrator, &helper->child);
    list_remove(&helper->link);
    free(helper);
}

static void on_started(Child *child, const ProcessInfo *info) {
    Helper *helper = CONTAINER(child, Helper, child);
    if (helper->ops && helper->ops->started)
        helper->ops->started(helper->owner, info);
    if (info->state == PROCESS_FAILED)
        helper_free(helper);
    else if (helper->abandoned)
        process_signal(helper->orchestrator->host, info->id, SIGKILL, PROCESS_TREE, NULL, NULL);
}

void helper_release(Helper *helper) {
    Orchestrator *orchestrator = helper->orchestrator;
    char id[PROCESS_ID_MAX + 1];
    memcpy(id, helper->child.id, sizeof id);
    helper_free(helper);
    process_release(orchestrator->host, span_of(id));
}

static void on_exited(Child *child, const ProcessInfo *info) {
    Helper *helper = CONTAINER(child, Helper, child);
    helper->exited = true;
    bool keep = helper->ops && helper->ops->exited && helper->ops->exited(helper->owner, info);
    if (!keep)
        helper_release(helper);
}

static void on_output(Child *child, const ProcessInfo *info, ProcessStream stream) {
    Helper *helper = CONTAINER(child, Helper, child);
    if (helper->ops && helper->ops->output)
        helper->ops->output(helper->owner, info, stream);
}

static const ChildOps OPS = {.started = on_started, .exited = on_exited, .output = on_output};

Helper *helper_start(Orchestrator *orchestrator, const char *what, ProcessSpec *spec,
                     const HelperOps *ops, void *owner, int *ret_error) {
    Helper *helper = xcalloc(1, sizeof *helper);
    helper->child.ops = &OPS;
    helper->orchestrator = orchestrator;
    helper->ops = ops;
    helper->owner = owner;
    snprintf(helper->child.id, sizeof helper->child.id, "%s.%08x.%llu", what, orchestrator->salt,
             (unsigned long long)++orchestrator->helper_count);
    spec->id = span_of(helper->child.id);
    spec->label = SPAN("helper");
    int error = process_start(orchestrator->host, spec);
    if (error < 0) {
        *ret_error = error;
        free(helper);
        return NULL;
    }
    orchestrator_add_child(orchestrator, &helper->child);
    list_push_back(&orchestrator->helpers, &helper->link);
    return helper;
}

Span helper_id(const Helper *helper) {
    return span_of(helper->child.id);
}

void helper_abandon(Helper *helper) {
    if (helper->exited) {
        helper_release(helper);
        return;
    }
    helper->ops = NULL;
    helper->abandoned = true;
    process_signal(helper->orchestrator->host, helper_id(helper), SIGKILL, PROCESS_TREE, NULL,
                   NULL);
}

void helpers_free(Orchestrator *orchestrator) {
    LIST_EACH (&orchestrator->helpers, link)
        helper_free(CONTAINER(link, Helper, link));
}
