#include "schema/entry_index.h"

#include "base/hash.h"
#include "schema/types.h"

static const void *item(const SchemaMessage *entry, const SchemaArray *map, uint32_t position) {
    return (const char *)map->items + (size_t)position * entry->size;
}

/* The bytes that tell keys apart: a string's content, or the number as it lies in memory. */
static Span key_of(const SchemaMessage *entry, const void *item) {
    const SchemaField *key = &entry->fields[0];
    const void *at = schema_at(item, key);
    return key->type == SCHEMA_STRING ? *(const Span *)at : span(at, type_size(key->type));
}

/* Peers choose keys. What they cannot know is where the table lies, and nothing that they can
 * see depends on it. */
static uint64_t hash(const EntryIndex *index, Span key) {
    return hash_bytes(key, (uintptr_t)index->slots);
}

bool entry_index_init(EntryIndex *index, const SchemaMessage *entry, const SchemaArray *map,
                      size_t capacity, Arena *arena) {
    *index = (EntryIndex){0};
    if (capacity <= ENTRY_INDEX_LINEAR)
        return true;
    uint64_t slots = 2 * ENTRY_INDEX_LINEAR;
    while (slots < capacity + capacity / 2)
        slots *= 2;
    index->slots = arena_zalloc(arena, slots * sizeof *index->slots);
    if (!index->slots)
        return false;
    index->mask = slots - 1;
    for (uint32_t i = 0; i < map->count; i++)
        entry_index_add(index, entry, map, i);
    return true;
}

uint32_t entry_index_find(const EntryIndex *index, const SchemaMessage *entry,
                          const SchemaArray *map, const void *like) {
    Span key = key_of(entry, like);
    if (!index->slots) {
        for (uint32_t i = 0; i < map->count; i++)
            if (span_equal(key_of(entry, item(entry, map, i)), key))
                return i;
        return ENTRY_NONE;
    }
    for (uint64_t at = hash(index, key) & index->mask;; at = (at + 1) & index->mask) {
        uint32_t slot = index->slots[at];
        if (slot == 0)
            return ENTRY_NONE;
        if (span_equal(key_of(entry, item(entry, map, slot - 1)), key))
            return slot - 1;
    }
}

void entry_index_add(EntryIndex *index, const SchemaMessage *entry, const SchemaArray *map,
                     uint32_t position) {
    if (!index->slots)
        return;
    uint64_t at = hash(index, key_of(entry, item(entry, map, position))) & index->mask;
    while (index->slots[at])
        at = (at + 1) & index->mask;
    index->slots[at] = position + 1;
}
