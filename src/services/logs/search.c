#include "services/logs/search.h"

static bool needs_texts(const FilterNode *node) {
    switch (node->kind) {
    case FILTER_TEXT:
    case FILTER_REGEX:
    case FILTER_CORRELATION:
    case FILTER_ATTRIBUTE:
        return true;
    default:
        for (const FilterNode *child = node->children; child; child = child->next)
            if (needs_texts(child))
                return true;
        return false;
    }
}

bool search_needs_texts(const Filter *filter) {
    return needs_texts(filter_root(filter));
}

void search_done(Search *search) {
    filter_free(search->filter);
    arena_done(&search->arena);
    *search = (Search){0};
}

/* Whether the row matches; then tells of it. False: enough for now. */
static bool look(Search *search, LogStore *store, const LogChunk *chunk, uint32_t i) {
    const Row *row = &chunk->rows[i];
    const RowSource *source = chunk->sources[i];
    if (row->level == ROW_NO_ENTRY || (chunk->raws && !chunk->raws[i].ptr))
        return true;
    int64_t last_run = log_store_last_run(store, source->service);
    FilterGlance glance = {
        .service = source->service,
        .instance = source->instance,
        .time = row->time,
        .run = source->run,
        .last_run = last_run,
        .level = row->level,
        .stream = source->stream,
        .raw = chunk->raws ? chunk->raws[i] : (Span){NULL, 0},
    };
    FilterGuess guess = filter_glance(search->filter, &glance);
    if (guess == FILTER_NO)
        return true;
    RtLogEntry entry;
    if (guess == FILTER_MAYBE || !search->glance) {
        arena_reset(&search->arena);
        log_store_entry(source, row, chunk->raws[i], chunk->first + i, search->mask, &search->arena,
                        &entry);
        if (guess == FILTER_MAYBE && !filter_matches(search->filter, &entry, last_run))
            return true;
    }
    if (search->left != INT64_MAX)
        search->left--;
    return search->found(search->owner, source, row, search->glance ? NULL : &entry) &&
           search->left > 0;
}

static int search_chunk(Search *search, LogStore *store, const LogChunk *chunk, size_t *looked) {
    int64_t begin = chunk->first, end = chunk->first + chunk->count;
    bool going = true;
    if (search->backwards) {
        for (int64_t at = search->at < end ? search->at : end - 1; going && at >= begin; at--) {
            *looked += chunk->rows[at - begin].size + 16;
            search->at = at - 1;
            going = look(search, store, chunk, (uint32_t)(at - begin));
        }
        if (going)
            search->at = begin - 1;
    } else {
        for (int64_t at = search->at > begin ? search->at : begin; going && at < end; at++) {
            *looked += chunk->rows[at - begin].size + 16;
            search->at = at + 1;
            going = look(search, store, chunk, (uint32_t)(at - begin));
        }
        if (going)
            search->at = chunk->until;
    }
    return going;
}

int search_step(Search *search, LogStore *store, size_t budget) {
    bool texts = !search->glance || search_needs_texts(search->filter);
    size_t looked = 0;
    while (looked < budget) {
        if (search->left <= 0)
            return 0;
        LogChunk chunk;
        int r = log_store_find(store, search->filter, search->at, search->backwards, texts, &chunk);
        if (r < 0)
            return r;
        if (r == 0) { /* the end of the log */
            if (!search->backwards)
                search->at = log_store_next_sequence(store);
            else
                search->at = 0;
            return 0;
        }
        looked += 4096;
        if (!search_chunk(search, store, &chunk, &looked))
            return search->left > 0;
    }
    return 1;
}
