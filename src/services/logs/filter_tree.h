/* How filters are made: private to filter*.c. */
#pragma once

#include "base/array.h"
#include "services/logs/filter.h"

struct Filter {
    Arena arena;
    ARRAY(Regex *) regexes; /* of the nodes */
    FilterNode *root;
    size_t terms;
};

Filter *filter_new(void);

FilterNode *filter_add(Filter *filter, FilterNode *parent, FilterKind kind);

/* A node on its own, to be put under a parent by filter_put. */
FilterNode *filter_node(Filter *filter, FilterKind kind);
void filter_put(FilterNode *parent, FilterNode *child);

/* FILTER_TEXT of that text, FILTER_REGEX of that expression: -EINVAL and a reason. */
FilterNode *filter_text(Filter *filter, Span text);
int filter_regex(Filter *filter, Span pattern, bool ignore_case, Regex **ret, Buf *reason);

/* Reads the line and adds it under `parent`. */
int filter_read(Filter *filter, FilterNode *parent, Span line, Nanos now, FilterError *ret_error);
