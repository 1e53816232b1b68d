/* The lists behind watch.c: items in the order of their changes, and marks between them that say how
 * far somebody has come. Private to watch.c. */
#pragma once

#include "core/watch.h"

/* Kinds of items that are not the domain's. */
#define KIND_MARK      0xff
#define KIND_TOMBSTONE 0xfe

/* All items by `changed`, or all items and tombstones by `stated`. */
typedef struct Track {
    Link head;
    size_t offset; /* of its link in an item */
} Track;

typedef struct Mark {
    WatchItem item; /* in one of the tracks; `changed`: all up to this number is behind it */
    uint32_t references;
} Mark;

void track_init(Track *track, size_t offset);

static inline Link *link_of(const Track *track, WatchItem *item) {
    return (Link *)((char *)item + track->offset);
}

static inline WatchItem *item_of(const Track *track, Link *link) {
    return (WatchItem *)((char *)link - track->offset);
}

static inline Link *mark_link(const Track *track, Mark *mark) {
    return link_of(track, &mark->item);
}

/* The first item behind a place, which is a link of the track or its head; NULL when there is
 * none. */
WatchItem *item_behind(const Track *track, Link *at);

/* A mark at that place, with a reference more: marks at one place are one mark. */
Mark *mark_at(Track *track, Link *at, uint64_t number);
/* NULL is ignored. */
void mark_unref(Track *track, Mark *mark);
void mark_move(Track *track, Mark **mark, Link *at, uint64_t number);

/* The place behind all changes up to a number; NULL when it is too far from the end. */
Link *track_locate(const Track *track, uint64_t number);
