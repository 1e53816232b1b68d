/* Which entry of a map has a given key. Maps are arrays of entries; a small one is searched by
 * comparing, a large one through a hash table of positions. Entries keep their place: the index
 * knows them by position, so the array may move. */
#pragma once

#include "base/arena.h"
#include "schema/schema.h"

/* Up to this many entries are compared one by one. */
#define ENTRY_INDEX_LINEAR 16

/* Zeroes are the index of a map of at most ENTRY_INDEX_LINEAR entries. */
typedef struct EntryIndex {
    uint32_t *slots; /* position + 1; 0 = free */
    uint64_t mask;
} EntryIndex;

#define ENTRY_NONE UINT32_MAX

/* Prepares an index for up to `capacity` entries and adds the first `count` of `map`. False only
 * when the arena's limit is reached. `entry` is the entries' type. */
bool entry_index_init(EntryIndex *index, const SchemaMessage *entry, const SchemaArray *map,
                      size_t capacity, Arena *arena);

/* The position, among those added, of the entry that has the same key as `like`, or ENTRY_NONE. */
uint32_t entry_index_find(const EntryIndex *index, const SchemaMessage *entry,
                          const SchemaArray *map, const void *like);

/* Adds the entry at `position`, whose key no other has. To be called for each entry that is
 * counted after entry_index_init, in whatever order. */
void entry_index_add(EntryIndex *index, const SchemaMessage *entry, const SchemaArray *map,
                     uint32_t position);
