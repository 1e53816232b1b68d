/* The filter syntax of the command line, the API and the page (docs/filter.md), and what it means:
 *
 *     service:calc level>=warn @http.status:500 "timeout" -/retry [0-9]+/
 *
 * A Filter is a tree that never changes; one thread at a time matches with it. Services, instances,
 * attributes and text are compared without regard to case. */
#pragma once

#include "base/clock.h"
#include "base/regex.h"
#include "runtime/v1/logger.pb.h"

#define FILTER_LENGTH_MAX 4096
#define FILTER_DEPTH_MAX  32
#define FILTER_TERMS_MAX  256

typedef enum FilterKind {
    FILTER_AND, /* of no children: everything */
    FILTER_OR,
    FILTER_NOT,         /* of the first child */
    FILTER_TEXT,        /* the message contains `text` */
    FILTER_REGEX,       /* the message has a match of `regex` */
    FILTER_SERVICE,     /* is `text`, which may have '*' */
    FILTER_INSTANCE,    /* likewise */
    FILTER_CORRELATION, /* is `text`, to the byte */
    FILTER_LEVEL,       /* in that relation to `number` */
    FILTER_STREAM,      /* is `number` */
    FILTER_RUN,         /* in that relation to `number`; negative: counted from the last one */
    FILTER_TIME,        /* in that relation to `number`, in Unix nanoseconds */
    FILTER_ATTRIBUTE,   /* `name` is in that relation to `text`, or has a match of `regex` */
} FilterKind;

typedef enum FilterOrder {
    FILTER_EQUAL,
    FILTER_LESS,
    FILTER_LESS_EQUAL,
    FILTER_GREATER,
    FILTER_GREATER_EQUAL,
    FILTER_EXISTS,
} FilterOrder;

typedef struct FilterNode FilterNode;
struct FilterNode {
    FilterKind kind;
    FilterOrder order;
    Span name;
    Span text;    /* FILTER_TEXT: in lower case */
    Regex *regex; /* FILTER_TEXT: set where `text` is not ASCII */
    int64_t number;
    FilterNode *children; /* a list by `next` */
    FilterNode *next;
};

typedef struct Filter Filter;

typedef struct FilterError {
    size_t column; /* of the mistake, in characters, from 1; 0: not in the filter line */
    char reason[200];
} FilterError;

/* Reads a filter line; times like "10m" count back from `now`. -EINVAL, with `ret_error`. */
int filter_parse(Span text, Nanos now, Filter **ret_filter, FilterError *ret_error);

/* All conditions of a request, its filter line among them. */
int filter_of_query(const RtLogQuery *query, Nanos now, Filter **ret_filter,
                    FilterError *ret_error);
int filter_of_subscription(const RtLogFilter *request, Nanos now, Filter **ret_filter,
                           FilterError *ret_error);

void filter_free(Filter *filter);

const FilterNode *filter_root(const Filter *filter);

/* Whether an entry matches. `last_run` is the highest run of its service so far. */
bool filter_matches(const Filter *filter, const RtLogEntry *entry, int64_t last_run);

/* What is known of an entry before it is taken apart: enough to pass over most. */
typedef struct FilterGlance {
    Span service, instance;
    Nanos time;
    int64_t run, last_run;
    int32_t level, stream;
    Span raw; /* the bytes that it will be made of */
} FilterGlance;

typedef enum FilterGuess { FILTER_NO, FILTER_YES, FILTER_MAYBE } FilterGuess;

FilterGuess filter_glance(const Filter *filter, const FilterGlance *glance);
/* The same of one node. `glance->raw.ptr` may be NULL: nothing is known of the text then. */
FilterGuess filter_glance_node(const FilterNode *node, const FilterGlance *glance);

/* The text of an attribute, or else of a value in `metadata`: a name with dots is looked for as it
 * is first, then level by level. Numbers as in JSON; `scratch` has room for 32 bytes. */
bool filter_attribute(const RtLogEntry *entry, Span name, char *scratch, Span *ret);
