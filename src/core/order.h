/* The order of named things that require each other. */
#pragma once

#include "base/buf.h"

typedef struct OrderItem {
    const char *name;
    const char *const *requires; /* names, ending with NULL; NULL = none */
    const void *owner;           /* the caller's */
    uint32_t level;              /* set by order_sort */
} OrderItem;

/* Gives each its level (one above the highest of those it requires, 0 without any) and sorts by
 * level, then name: the result does not depend on the order given. -EINVAL: a name is there twice,
 * a required one is not there (with the nearest that is), or there is a circle (as its path, "a → b
 * → a"); `reason` is about all of the first kind found. */
int order_sort(OrderItem *items, size_t count, Buf *reason);
