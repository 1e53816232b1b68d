/* A search: a place in the log that moves on, in slices, so that nothing else waits for it; and
 * what it gathers. Queries end when they have enough or meet the end of the log; what follows the
 * log has no end, and is simply called again when more has come. */
#pragma once

#include "services/logs/log_store.h"

typedef struct Search {
    Filter *filter;
    const Mask *mask;
    int64_t at; /* sequence of the next entry to look at */
    bool backwards;
    int64_t left; /* entries wanted; INT64_MAX: all */
    bool glance;  /* what is told is not taken apart: only row and source are used */
    /* Takes a match; `entry` is valid during the call, NULL with `glance`. False: enough for this
     * slice. */
    bool (*found)(void *owner, const RowSource *source, const Row *row, const RtLogEntry *entry);
    void *owner;
    Arena arena;
} Search;

/* Looks at about `budget` bytes of log. 1: there is more to look at; 0: it is over, or has met the
 * end of the log for now; an error of the disk. */
int search_step(Search *search, LogStore *store, size_t budget);

/* Whether the filter can be answered without the bytes of entries. */
bool search_needs_texts(const Filter *filter);

void search_done(Search *search);
