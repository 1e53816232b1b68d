#include "cli/project/service_list.h"

#include <stdlib.h>

#include "base/memory.h"
#include "schema/codec.h"

static ServiceItem *find(const ServiceList *list, Span name) {
    for (size_t i = 0; i < list->items.count; i++)
        if (span_equal(list->items.items[i]->status->name, name))
            return list->items.items[i];
    return NULL;
}

static void put(ServiceList *list, const RtServiceStatus *status) {
    ServiceItem *item = find(list, status->name);
    RtServiceState before = RT_SERVICE_STATE_UNSPECIFIED;
    if (item) {
        before = (RtServiceState)item->status->state;
        arena_reset(&item->arena);
    } else {
        item = xcalloc(1, sizeof *item);
        *array_push(&list->items) = item;
    }
    item->before = before;
    item->status = schema_copy(&RtServiceStatus_type, status, &item->arena);
}

static void drop(ServiceList *list, size_t index) {
    ServiceItem *item = list->items.items[index];
    arena_done(&item->arena);
    free(item);
    array_remove(&list->items, index, 1);
}

static void clear(ServiceList *list) {
    while (list->items.count)
        drop(list, list->items.count - 1);
}

void service_list_update(ServiceList *list, const RtWatchServicesResponse *change) {
    if (change->reset)
        clear(list);
    for (size_t i = 0; i < change->services.count; i++)
        put(list, &change->services.items[i]);
    for (size_t i = 0; i < change->removed_services.count; i++)
        for (size_t j = list->items.count; j-- > 0;)
            if (span_equal(list->items.items[j]->status->name, change->removed_services.items[i]))
                drop(list, j);
    list->complete |= !change->more;
}

void service_list_set(ServiceList *list, const RtOrchestratorStatus *status) {
    clear(list);
    for (size_t i = 0; i < status->services.count; i++)
        put(list, &status->services.items[i]);
    list->complete = true;
}

void service_list_done(ServiceList *list) {
    clear(list);
    array_done(&list->items);
}

const RtServiceStatus *service_list_find(const ServiceList *list, Span name) {
    const ServiceItem *item = find(list, name);
    return item ? item->status : NULL;
}
