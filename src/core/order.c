#include "core/order.h"

#include <errno.h>
#include <stdlib.h>

#include "base/nearest.h"

#define NO_LEVEL UINT32_MAX

static int by_name(const void *a, const void *b) {
    return strcmp(((const OrderItem *)a)->name, ((const OrderItem *)b)->name);
}

static int by_level(const void *a, const void *b) {
    const OrderItem *left = a, *right = b;
    if (left->level != right->level)
        return left->level < right->level ? -1 : 1;
    return by_name(a, b);
}

static OrderItem *find(OrderItem *items, size_t count, const char *name) {
    return bsearch(&(OrderItem){.name = name}, items, count, sizeof *items, by_name);
}

static void add_problem(Buf *reason, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_problem(Buf *reason, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (reason->len)
        buf_add_literal(reason, "; ");
    buf_vprintf(reason, format, args);
    va_end(args);
}

static void find_twins(const OrderItem *items, size_t count, Buf *reason) {
    for (size_t i = 1; i < count; i++)
        if (strcmp(items[i - 1].name, items[i].name) == 0)
            add_problem(reason, "'%s' is declared twice", items[i].name);
}

static void find_missing(OrderItem *items, size_t count, Buf *reason) {
    for (size_t i = 0; i < count; i++) {
        for (const char *const *name = items[i].requires; name && *name; name++) {
            if (find(items, count, *name))
                continue;
            Nearest nearest = nearest_to(span_of(*name));
            for (size_t j = 0; j < count; j++)
                nearest_consider(&nearest, span_of(items[j].name));
            add_problem(reason, "'%s' requires '%s', which is not there", items[i].name, *name);
            if (nearest.best.len)
                buf_printf(reason, "; did you mean '%.*s'?", SPAN_ARGS(nearest.best));
        }
    }
}

/* True when it got its level, false when something it requires has none yet. */
static bool give_level(OrderItem *items, size_t count, OrderItem *item) {
    uint32_t level = 0;
    for (const char *const *name = item->requires; name && *name; name++) {
        const OrderItem *required = find(items, count, *name);
        if (required->level == NO_LEVEL)
            return false;
        if (required->level >= level)
            level = required->level + 1;
    }
    item->level = level;
    return true;
}

/* What keeps an item from having a level. */
static OrderItem *obstacle(OrderItem *items, size_t count, const OrderItem *item) {
    for (const char *const *name = item->requires;; name++) {
        OrderItem *required = find(items, count, *name);
        if (required->level == NO_LEVEL)
            return required;
    }
}

/* Whoever has no level waits for one that has none: following these leads into a circle, which is
 * told from its first name on. */
static void tell_circle(OrderItem *items, size_t count, Buf *reason) {
    OrderItem *inside = items;
    while (inside->level != NO_LEVEL)
        inside++;
    for (size_t i = 0; i < count; i++)
        inside = obstacle(items, count, inside);
    OrderItem *first = inside;
    for (OrderItem *at = obstacle(items, count, inside); at != inside;
         at = obstacle(items, count, at))
        if (at < first)
            first = at;
    add_problem(reason, "components require each other in a circle: %s", first->name);
    OrderItem *at = first;
    do {
        at = obstacle(items, count, at);
        buf_printf(reason, " → %s", at->name);
    } while (at != first);
}

int order_sort(OrderItem *items, size_t count, Buf *reason) {
    if (count)
        qsort(items, count, sizeof *items, by_name);
    find_twins(items, count, reason);
    if (!reason->len)
        find_missing(items, count, reason);
    if (reason->len)
        return -EINVAL;
    for (size_t i = 0; i < count; i++)
        items[i].level = NO_LEVEL;
    for (size_t given = 0, before = count; given < count;) {
        if (given == before) {
            tell_circle(items, count, reason);
            return -EINVAL;
        }
        before = given;
        for (size_t i = 0; i < count; i++)
            if (items[i].level == NO_LEVEL)
                given += give_level(items, count, &items[i]);
    }
    if (count)
        qsort(items, count, sizeof *items, by_level);
    return 0;
}
