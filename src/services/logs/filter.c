#include "services/logs/filter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "services/logs/filter_tree.h"
#include "services/logs/fold.h"

Filter *filter_new(void) {
    Filter *filter = xcalloc(1, sizeof *filter);
    filter->root = filter_node(filter, FILTER_AND);
    return filter;
}

void filter_free(Filter *filter) {
    if (!filter)
        return;
    for (size_t i = 0; i < filter->regexes.count; i++)
        regex_free(filter->regexes.items[i]);
    array_done(&filter->regexes);
    arena_done(&filter->arena);
    free(filter);
}

const FilterNode *filter_root(const Filter *filter) {
    return filter->root;
}

FilterNode *filter_node(Filter *filter, FilterKind kind) {
    FilterNode *node = arena_zalloc(&filter->arena, sizeof *node);
    node->kind = kind;
    return node;
}

void filter_put(FilterNode *parent, FilterNode *child) {
    FilterNode **end = &parent->children;
    while (*end)
        end = &(*end)->next;
    *end = child;
}

FilterNode *filter_add(Filter *filter, FilterNode *parent, FilterKind kind) {
    FilterNode *node = filter_node(filter, kind);
    filter_put(parent, node);
    return node;
}

int filter_regex(Filter *filter, Span pattern, bool ignore_case, Regex **ret, Buf *reason) {
    int r = regex_new(pattern, false, ignore_case, ret, reason);
    if (r < 0)
        return r;
    regex_find_atoms(*ret);
    *array_push(&filter->regexes) = *ret;
    return 0;
}

FilterNode *filter_text(Filter *filter, Span text) {
    FilterNode *node = filter_node(filter, FILTER_TEXT);
    char *lower = arena_alloc(&filter->arena, text.len + 1);
    bool ascii = true;
    for (size_t i = 0; i < text.len; i++) {
        lower[i] = fold_char(text.ptr[i]);
        ascii = ascii && (unsigned char)text.ptr[i] < 0x80;
    }
    node->text = span(lower, text.len);
    /* Beyond ASCII it takes tables to tell what differs by case only, which RE2 has. */
    if (!ascii && regex_new(text, true, true, &node->regex, NULL) == 0)
        *array_push(&filter->regexes) = node->regex;
    return node;
}

int filter_parse(Span text, Nanos now, Filter **ret_filter, FilterError *ret_error) {
    Filter *filter = filter_new();
    int r = filter_read(filter, filter->root, text, now, ret_error);
    if (r < 0) {
        filter_free(filter);
        return r;
    }
    *ret_filter = filter;
    return 0;
}

/* ---- requests ---- */

static int mistake(FilterError *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int mistake(FilterError *error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    error->column = 0;
    vsnprintf(error->reason, sizeof error->reason, format, args);
    va_end(args);
    return -EINVAL;
}

static void add_text(Filter *filter, FilterNode *parent, FilterKind kind, Span text) {
    filter_add(filter, parent, kind)->text = arena_copy(&filter->arena, text);
}

static void add_number(Filter *filter, FilterKind kind, FilterOrder order, int64_t number) {
    FilterNode *node = filter_add(filter, filter->root, kind);
    node->order = order;
    node->number = number;
}

static void add_names(Filter *filter, FilterKind kind, const Span *names, uint32_t count) {
    FilterNode *any = count ? filter_add(filter, filter->root, FILTER_OR) : NULL;
    for (uint32_t i = 0; i < count; i++)
        add_text(filter, any, kind, names[i]);
}

static void add_streams(Filter *filter, const int32_t *streams, uint32_t count) {
    FilterNode *any = count ? filter_add(filter, filter->root, FILTER_OR) : NULL;
    for (uint32_t i = 0; i < count; i++)
        filter_add(filter, any, FILTER_STREAM)->number = streams[i];
}

static void add_attribute(Filter *filter, Span name, Span value) {
    FilterNode *node = filter_add(filter, filter->root, FILTER_ATTRIBUTE);
    node->name = arena_copy(&filter->arena, name);
    node->text = arena_copy(&filter->arena, value);
    node->number = 1; /* as text, without '*' */
}

static int add_regex(Filter *filter, Span pattern, FilterError *error) {
    Buf reason = {0};
    Regex *regex;
    int r = filter_regex(filter, pattern, false, &regex, &reason);
    if (r < 0)
        mistake(error, "regex: %.*s: see docs/filter.md for the syntax",
                SPAN_ARGS(buf_span(&reason)));
    else
        filter_add(filter, filter->root, FILTER_REGEX)->regex = regex;
    buf_done(&reason);
    return r;
}

static int finish(Filter *filter, int result, Filter **ret_filter) {
    if (result < 0)
        filter_free(filter);
    else
        *ret_filter = filter;
    return result;
}

#define FILTER_CONDITIONS_MAX 1024 /* entries of one list */

/* What both requests have. */
#define ADD_COMMON(filter, request)                                                                \
    do {                                                                                           \
        add_names(filter, FILTER_SERVICE, (request)->service_names.items,                          \
                  (request)->service_names.count);                                                 \
        add_names(filter, FILTER_INSTANCE, (request)->instances.items,                             \
                  (request)->instances.count);                                                     \
        add_streams(filter, (request)->streams.items, (request)->streams.count);                   \
        if ((request)->min_level)                                                                  \
            add_number(filter, FILTER_LEVEL, FILTER_GREATER_EQUAL, (request)->min_level);          \
        if ((request)->search_text.len)                                                            \
            filter_put((filter)->root, filter_text(filter, (request)->search_text));               \
        if ((request)->correlation_id.len)                                                         \
            add_text(filter, (filter)->root, FILTER_CORRELATION, (request)->correlation_id);       \
        for (uint32_t i_ = 0; i_ < (request)->attributes.count; i_++)                              \
            add_attribute(filter, (request)->attributes.items[i_].key,                             \
                          (request)->attributes.items[i_].value);                                  \
    } while (0)

#define IS_TOO_LONG(request)                                                                       \
    ((request)->service_names.count > FILTER_CONDITIONS_MAX ||                                     \
     (request)->instances.count > FILTER_CONDITIONS_MAX ||                                         \
     (request)->streams.count > FILTER_CONDITIONS_MAX ||                                           \
     (request)->attributes.count > FILTER_CONDITIONS_MAX)

static int refuse_long(FilterError *error) {
    return mistake(error, "a list of conditions has more than %d entries: ask for fewer at a time",
                   FILTER_CONDITIONS_MAX);
}

int filter_of_query(const RtLogQuery *query, Nanos now, Filter **ret_filter,
                    FilterError *ret_error) {
    if (IS_TOO_LONG(query))
        return refuse_long(ret_error);
    Filter *filter = filter_new();
    ADD_COMMON(filter, query);
    if (query->start_time)
        add_number(filter, FILTER_TIME, FILTER_GREATER_EQUAL, nanos_of_millis(query->start_time));
    if (query->end_time)
        add_number(filter, FILTER_TIME, FILTER_LESS, nanos_of_millis(query->end_time));
    if (query->run)
        add_number(filter, FILTER_RUN, FILTER_EQUAL, query->run);
    int r = query->regex.len ? add_regex(filter, query->regex, ret_error) : 0;
    if (r == 0)
        r = filter_read(filter, filter->root, query->filter, now, ret_error);
    return finish(filter, r, ret_filter);
}

int filter_of_subscription(const RtLogFilter *request, Nanos now, Filter **ret_filter,
                           FilterError *ret_error) {
    if (IS_TOO_LONG(request))
        return refuse_long(ret_error);
    Filter *filter = filter_new();
    ADD_COMMON(filter, request);
    int r = request->regex.len ? add_regex(filter, request->regex, ret_error) : 0;
    if (r == 0)
        r = filter_read(filter, filter->root, request->filter, now, ret_error);
    return finish(filter, r, ret_filter);
}
