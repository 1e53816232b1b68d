/* The table: `mask + 1` slots (a power of two), then as many control bytes in the same block of
 * memory. A control byte is EMPTY, DELETED, or the low seven bits of the hash of the key in the
 * slot. Slots lie in groups of 16 that a lookup compares at once; the rest of the hash chooses
 * the first group, and triangular steps visit all others. A lookup ends at a group with an empty
 * slot; so a removal leaves EMPTY where its group has one already, else DELETED. */
#include "base/map.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"

/* MAP_PORTABLE: the tests build this file a second time without SSE2. */
#if defined(__SSE2__) && !defined(MAP_PORTABLE)
#define MAP_SSE2
#include <emmintrin.h>
#endif

#define GROUP   16
#define EMPTY   ((int8_t)-128)
#define DELETED ((int8_t)-2)

/* ---- Groups: each function gives a bit per slot, lowest first -------------------------------- */

#ifdef MAP_SSE2

typedef __m128i Group;

static inline Group group_at(const int8_t *control) {
    return _mm_load_si128((const __m128i *)control);
}

static inline uint32_t group_match(Group group, int8_t byte) {
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(group, _mm_set1_epi8(byte)));
}

static inline uint32_t group_empty(Group group) {
    return group_match(group, EMPTY);
}

/* EMPTY or DELETED, the negative ones. */
static inline uint32_t group_free(Group group) {
    return (uint32_t)_mm_movemask_epi8(group);
}

#else

typedef struct Group {
    uint64_t half[2];
} Group;

#define LOW_BITS  UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)

static inline Group group_at(const int8_t *control) {
    Group group;
    memcpy(&group, control, sizeof group);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    group.half[0] = __builtin_bswap64(group.half[0]);
    group.half[1] = __builtin_bswap64(group.half[1]);
#endif
    return group;
}

/* The high bit of each byte, gathered in eight. */
static inline uint32_t gather(uint64_t word) {
    return (uint32_t)((word >> 7 & LOW_BITS) * UINT64_C(0x0102040810204080) >> 56);
}

/* The high bit of each byte that is zero; adding 0x7f to seven bits never carries into the next
 * byte, so no byte is taken for zero that is not. */
static inline uint64_t zero_bytes(uint64_t word) {
    return ~(((word & ~HIGH_BITS) + ~HIGH_BITS) | word) & HIGH_BITS;
}

static inline uint32_t group_match(Group group, int8_t byte) {
    uint64_t pattern = LOW_BITS * (uint8_t)byte;
    return gather(zero_bytes(group.half[0] ^ pattern)) | gather(zero_bytes(group.half[1] ^ pattern))
                                                             << 8;
}

static inline uint32_t group_empty(Group group) {
    return group_match(group, EMPTY);
}

static inline uint32_t group_free(Group group) {
    return gather(group.half[0] & HIGH_BITS) | gather(group.half[1] & HIGH_BITS) << 8;
}

#endif

/* ---- Probing -------------------------------------------------------------------------------- */

typedef struct Probe {
    size_t first; /* the group's first slot */
    size_t step;
} Probe;

static inline Probe probe_start(const Map *map, uint64_t hash) {
    return (Probe){(size_t)(hash >> 7) * GROUP & map->mask, 0};
}

static inline void probe_next(const Map *map, Probe *probe) {
    probe->step += GROUP;
    probe->first = (probe->first + probe->step) & map->mask;
}

static inline int8_t tag_of(uint64_t hash) {
    return (int8_t)(hash & 0x7f);
}

static inline uint64_t hash_of(const Map *map, Span key) {
    return hash_bytes(key, map->seed);
}

#define NOT_FOUND SIZE_MAX

static size_t find(const Map *map, Span key, uint64_t hash) {
    if (map->count == 0)
        return NOT_FOUND;
    for (Probe probe = probe_start(map, hash);; probe_next(map, &probe)) {
        Group group = group_at(map->control + probe.first);
        for (uint32_t hits = group_match(group, tag_of(hash)); hits; hits &= hits - 1) {
            size_t slot = probe.first + (size_t)__builtin_ctz(hits);
            if (__builtin_expect(span_equal(map->key(map->slots[slot]), key), 1))
                return slot;
        }
        if (__builtin_expect(group_empty(group) != 0, 1))
            return NOT_FOUND;
    }
}

/* The first slot on the key's way that is EMPTY or DELETED. There is one. */
static size_t find_free(const Map *map, uint64_t hash) {
    for (Probe probe = probe_start(map, hash);; probe_next(map, &probe)) {
        uint32_t hits = group_free(group_at(map->control + probe.first));
        if (hits)
            return probe.first + (size_t)__builtin_ctz(hits);
    }
}

static void fill(Map *map, size_t slot, uint64_t hash, void *item) {
    map->free -= map->control[slot] == EMPTY;
    map->control[slot] = tag_of(hash);
    map->slots[slot] = item;
    map->count++;
}

/* ---- Size ----------------------------------------------------------------------------------- */

/* Seven of eight slots may be in use or deleted. */
static inline size_t usable(size_t slots) {
    return slots / 8 * 7;
}

static size_t slot_count(const Map *map) {
    return map->control ? map->mask + 1 : 0;
}

/* Moves all items to a fresh table of so many slots, which drops the DELETED. */
static void rebuild(Map *map, size_t slots) {
    Map old = *map;
    size_t bytes;
    if (__builtin_mul_overflow(slots, sizeof(void *) + 1, &bytes))
        out_of_memory();
    map->slots = xmalloc(bytes);
    map->control = (int8_t *)(map->slots + slots);
    memset(map->control, EMPTY, slots);
    map->mask = slots - 1;
    map->free = usable(slots);
    map->count = 0;
    size_t at = 0;
    for (void *item; (item = map_next(&old, &at));) {
        uint64_t hash = hash_of(map, map->key(item));
        fill(map, find_free(map, hash), hash, item);
    }
    free(old.slots);
}

/* Called when no EMPTY slot may be used any more. Where a quarter of the usable slots or more is
 * DELETED, a fresh table of the same size pays for itself. */
static void make_room(Map *map) {
    size_t slots = slot_count(map);
    if (slots == 0)
        slots = GROUP;
    else if (map->count > usable(slots) / 4 * 3)
        slots *= 2;
    rebuild(map, slots);
}

void map_reserve(Map *map, size_t count) {
    size_t slots = GROUP;
    while (usable(slots) < count) {
        if (slots > SIZE_MAX / 4)
            out_of_memory();
        slots *= 2;
    }
    if (slots > slot_count(map))
        rebuild(map, slots);
}

/* ---- Use ------------------------------------------------------------------------------------ */

void map_init(Map *map, MapKey *key, uint64_t seed) {
    *map = (Map){.key = key, .seed = seed};
}

void map_done(Map *map) {
    free(map->slots);
    map_init(map, map->key, map->seed);
}

void *map_get(const Map *map, Span key) {
    size_t slot = find(map, key, hash_of(map, key));
    return slot == NOT_FOUND ? NULL : map->slots[slot];
}

void *map_put(Map *map, void *item) {
    Span key = map->key(item);
    uint64_t hash = hash_of(map, key);
    size_t slot = find(map, key, hash);
    if (slot != NOT_FOUND) {
        void *before = map->slots[slot];
        map->slots[slot] = item;
        return before;
    }
    if (map->control)
        slot = find_free(map, hash);
    if (!map->control || (map->free == 0 && map->control[slot] == EMPTY)) {
        make_room(map);
        slot = find_free(map, hash);
    }
    fill(map, slot, hash, item);
    return NULL;
}

void *map_remove(Map *map, Span key) {
    size_t slot = find(map, key, hash_of(map, key));
    if (slot == NOT_FOUND)
        return NULL;
    bool empty = group_empty(group_at(map->control + (slot & ~(size_t)(GROUP - 1)))) != 0;
    map->control[slot] = empty ? EMPTY : DELETED;
    map->free += empty;
    map->count--;
    return map->slots[slot];
}

void *map_next(const Map *map, size_t *at) {
    for (size_t slots = slot_count(map); *at < slots; ++*at)
        if (map->control[*at] >= 0)
            return map->slots[(*at)++];
    return NULL;
}
