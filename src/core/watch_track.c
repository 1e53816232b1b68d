#include "core/watch_track.h"

#include <stdlib.h>

#include "base/memory.h"

/* Steps back from the end to find a number. */
#define LOCATE_MAX 4096

void track_init(Track *track, size_t offset) {
    list_init(&track->head);
    track->offset = offset;
}

static bool is_mark(const Track *track, Link *link) {
    return link != &track->head && item_of(track, link)->kind == KIND_MARK;
}

/* The last place that is no other than this one: behind all marks that follow. */
static Link *same_place(const Track *track, Link *at) {
    while (is_mark(track, at->next))
        at = at->next;
    return at;
}

WatchItem *item_behind(const Track *track, Link *at) {
    Link *next = same_place(track, at)->next;
    return next == &track->head ? NULL : item_of(track, next);
}

Mark *mark_at(Track *track, Link *at, uint64_t number) {
    at = same_place(track, at);
    Mark *mark;
    if (is_mark(track, at)) {
        mark = CONTAINER(item_of(track, at), Mark, item);
    } else {
        mark = xcalloc(1, sizeof *mark);
        mark->item.kind = KIND_MARK;
        list_insert_after(at, link_of(track, &mark->item));
    }
    mark->references++;
    if (mark->item.changed < number)
        mark->item.changed = number;
    return mark;
}

void mark_unref(Track *track, Mark *mark) {
    if (!mark || --mark->references)
        return;
    list_remove(link_of(track, &mark->item));
    free(mark);
}

void mark_move(Track *track, Mark **mark, Link *at, uint64_t number) {
    Mark *moved = mark_at(track, at, number);
    mark_unref(track, *mark);
    *mark = moved;
}

Link *track_locate(const Track *track, uint64_t number) {
    Link *at = track->head.prev;
    bool states = track->offset == offsetof(WatchItem, states);
    for (int steps = 0; steps < LOCATE_MAX; steps++, at = at->prev) {
        if (at == &track->head)
            return at;
        const WatchItem *item = item_of(track, at);
        uint64_t last = states && item->kind != KIND_MARK ? item->stated : item->changed;
        if (item->kind != KIND_MARK && last <= number)
            return at;
    }
    return NULL;
}
