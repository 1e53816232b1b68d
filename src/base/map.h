/* A hash map from byte keys to the caller's objects.
 *
 * The map stores pointers only: an object holds its own key, and a function given at the start
 * finds it there. So a key is never copied, and an entry costs a pointer and a control byte
 * (about 10 to 20 bytes with the free slots). Open addressing with 16 control bytes compared at
 * once (the layout of Abseil's Swiss tables, https://abseil.io/about/design/swisstables).
 *
 * Objects must not change their key while they are in the map. The order of iteration depends on
 * the seed and on nothing else but the keys and the history of changes (never on addresses), so
 * a run can be repeated from its seed. Give a random seed where peers choose the keys. */
#pragma once

#include "base/span.h"

typedef Span MapKey(const void *item);

typedef struct Map {
    size_t count;    /* of items; the other members are the map's own */
    int8_t *control; /* a byte per slot, behind the slots; NULL before the first item */
    void **slots;
    size_t free; /* empty slots that may be filled before it grows */
    size_t mask; /* slots - 1 */
    uint64_t seed;
    MapKey *key;
} Map;

void map_init(Map *map, MapKey *key, uint64_t seed);
void map_done(Map *map);

void *map_get(const Map *map, Span key);

/* Adds the item; returns the item that had its key before and is now out of the map, or NULL. */
void *map_put(Map *map, void *item);

/* Takes the item of that key out and returns it; NULL when there is none. */
void *map_remove(Map *map, Span key);

/* Walks all items: size_t at = 0; while ((item = map_next(&map, &at))) … Removing the current
 * item is allowed, adding not. */
void *map_next(const Map *map, size_t *at);

/* Makes room for `count` items in all, so that filling the map does not grow it step by step. A
 * map gives memory back only by map_done. */
void map_reserve(Map *map, size_t count);
