/* The well-known types of google.protobuf, as their tables describe them. Their fields are
 * reached by number, so that types compiled in and types built at run time are treated alike;
 * SchemaMessage.well_known vouches for the fields being there. */
#pragma once

#include "schema/schema.h"

/* Field numbers of google/protobuf/{any,timestamp,duration,field_mask,struct,wrappers}.proto. */
enum {
    ANY_TYPE_URL = 1,
    ANY_VALUE = 2,
    TIME_SECONDS = 1, /* of Timestamp and Duration */
    TIME_NANOS = 2,
    FIELD_MASK_PATHS = 1,
    STRUCT_FIELDS = 1,
    VALUE_NULL = 1,
    VALUE_NUMBER = 2,
    VALUE_STRING = 3,
    VALUE_BOOL = 4,
    VALUE_STRUCT = 5,
    VALUE_LIST = 6,
    LIST_VALUES = 1,
    WRAPPER_VALUE = 1,
};

#define DURATION_SECONDS_MAX INT64_C(315576000000) /* 10,000 years of 365.25 days */
#define NANOS_MAX            999999999

/* The value of the field with that number. */
static inline void *known_at(const SchemaMessage *type, const void *message, uint32_t number) {
    return schema_at(message, schema_field_by_number(type, number));
}

static inline int64_t *known_seconds(const SchemaMessage *type, const void *time) {
    return (int64_t *)known_at(type, time, TIME_SECONDS);
}

static inline int32_t *known_nanos(const SchemaMessage *type, const void *time) {
    return (int32_t *)known_at(type, time, TIME_NANOS);
}

/* The full name in a type URL: what stands behind the last '/'. False when there is none. */
static inline bool known_type_name(Span url, Span *ret) {
    const char *slash = url.len ? (const char *)memrchr(url.ptr, '/', url.len) : NULL;
    if (!slash)
        return false;
    *ret = span(slash + 1, (size_t)(url.ptr + url.len - slash - 1));
    return ret->len != 0;
}
