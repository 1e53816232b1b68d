/* Path templates of google.api.http rules: "/v1/{name=shelves/x}/books/{book}:archive", where x is "*".
 *
 *     template = "/" segment { "/" segment } [ ":" verb ]
 *     segment  = "*" | "**" | literal | "{" field path [ "=" segments ] "}"
 *
 * "*" is one segment of the path, "**" the rest of it (last only); {x} is {x=*}.
 * Source: https://github.com/googleapis/googleapis/blob/master/google/api/http.proto */
#pragma once

#include "base/arena.h"

#define REST_SEGMENTS_MAX  32
#define REST_VARIABLES_MAX 8

typedef enum RestSegmentKind { REST_LITERAL, REST_ONE, REST_REST } RestSegmentKind;

typedef struct RestSegment {
    RestSegmentKind kind;
    Span literal;
} RestSegment;

typedef struct RestVariable {
    Span field;          /* "name", "shelf.id" */
    uint8_t first, last; /* segments it spans, last excluded */
} RestVariable;

/* Spans point into the template's text. */
typedef struct RestTemplate {
    RestSegment segments[REST_SEGMENTS_MAX];
    RestVariable variables[REST_VARIABLES_MAX];
    uint8_t segment_count, variable_count;
    Span verb;
} RestTemplate;

/* False: malformed; *ret_reason says why. */
bool rest_template_parse(Span text, RestTemplate *ret, const char **ret_reason);

/* Whether the path (without query, still encoded) fits; then ret_values holds one decoded value for each
 * variable, in the arena or in the path. Escaped slashes stay escaped in values of several segments. */
bool rest_template_match(const RestTemplate *template, Span path, Arena *arena, Span *ret_values);

/* Order of trying: the more literal first. 0: the same paths fit both. */
int rest_template_compare(const RestTemplate *a, const RestTemplate *b);
