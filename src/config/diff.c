#include "config/diff.h"

#include "base/array.h"
#include "config/rules.h"
#include "schema/codec.h"

/* Appends the paths of the values that differ. */
static void differing(const RuleSet *set, const ServiceConfig *before, const ServiceConfig *after,
                      Buf *path, Arena *arena, RtServiceChange *change) {
    Buf one = {0}, other = {0};
    for (const Rule *rule = set->rules; rule->name; rule++) {
        size_t mark = path->len;
        buf_printf(path, "%s%s", mark ? "." : "", rule->name);
        if (rule->type == RULE_SECTION) {
            differing(rule->section, before, after, path, arena, change);
        } else if (!rule->hidden) {
            buf_clear(&one);
            buf_clear(&other);
            rule_print(rule, before, &one, true);
            rule_print(rule, after, &other, true);
            if (!span_equal(buf_span(&one), buf_span(&other)))
                *schema_append(&change->paths, arena) = arena_copy(arena, buf_span(path));
        }
        path->len = mark;
    }
    buf_done(&one);
    buf_done(&other);
}

size_t config_diff(const Config *before, const Config *after, Arena *arena,
                   const RtServiceChange **ret_changes) {
    ARRAY(RtServiceChange) changes = {0};
    for (size_t i = 0; before && i < before->services.count; i++)
        if (!config_service(after, before->services.items[i].name))
            *array_push(&changes) =
                (RtServiceChange){.service_name = before->services.items[i].name,
                                  .type = RT_SERVICE_CHANGE_TYPE_REMOVED};
    Buf path = {0};
    for (size_t i = 0; i < after->services.count; i++) {
        const ServiceConfig *service = &after->services.items[i];
        const ServiceConfig *old = before ? config_service(before, service->name) : NULL;
        RtServiceChange change = {.service_name = service->name};
        if (old && old->hash == service->hash)
            continue;
        if (!old)
            change.type = RT_SERVICE_CHANGE_TYPE_ADDED;
        else if (old->run_hash != service->run_hash || old->kind != service->kind)
            change.type = RT_SERVICE_CHANGE_TYPE_RESTARTED;
        else
            change.type = RT_SERVICE_CHANGE_TYPE_UPDATED;
        if (old)
            differing(&SERVICE_RULES, old, service, &path, arena, &change);
        *array_push(&changes) = change;
    }
    buf_done(&path);
    size_t count = changes.count;
    *ret_changes =
        (const void *)arena_copy(arena, span(changes.items, count * sizeof *changes.items)).ptr;
    array_done(&changes);
    return count;
}
