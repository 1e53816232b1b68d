/* The tables that describe messages, enums and services, and the shape of a message in memory.
 *
 * The schema compiler writes these tables as constants; schema/pool.h builds the same ones at
 * run time from descriptors. The codec, JSON, RPC and reflection read nothing else, so a message
 * whose type became known a moment ago is treated exactly like one compiled in.
 *
 * A message is a plain struct that begins with `SchemaUnknown *unknown`. Its members, for a
 * field `f`:
 *
 *     scalar, enum (int32_t), string, bytes (Span)   T f;
 *     the same with presence (optional, proto2)      bool has_f; T f;
 *     message, group                                 T *f;                         NULL = absent
 *     repeated                                       SCHEMA_REPEATED(T) f;         messages by value
 *     map                                            SCHEMA_REPEATED(MEntry) f;    {key, value}
 *     member of oneof `o`                            int32_t which_o; union {…};   0 = none
 *
 * `which_o` holds the number of the field that is set. An entry of a map is a message too, whose
 * two fields have no presence, whatever the syntax of the file.
 * All zeroes is the empty message, unless its type has an `initial` image (proto2 defaults).
 * Strings and bytes point into memory that the message does not own: the decoder's input, its
 * arena, a literal. Entries of a map have distinct keys after decoding; their order has no
 * meaning but is kept. Tables never change once built and may be read by any thread. */
#pragma once

#include "base/span.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct SchemaFile SchemaFile;
typedef struct SchemaMessage SchemaMessage;
typedef struct SchemaEnum SchemaEnum;
typedef struct SchemaField SchemaField;
typedef struct SchemaOneof SchemaOneof;
typedef struct SchemaService SchemaService;
typedef struct SchemaMethod SchemaMethod;

/* The numbers of google.protobuf.FieldDescriptorProto.Type. */
typedef enum SchemaType {
    SCHEMA_DOUBLE = 1,
    SCHEMA_FLOAT = 2,
    SCHEMA_INT64 = 3,
    SCHEMA_UINT64 = 4,
    SCHEMA_INT32 = 5,
    SCHEMA_FIXED64 = 6,
    SCHEMA_FIXED32 = 7,
    SCHEMA_BOOL = 8,
    SCHEMA_STRING = 9,
    SCHEMA_GROUP = 10,
    SCHEMA_MESSAGE = 11,
    SCHEMA_BYTES = 12,
    SCHEMA_UINT32 = 13,
    SCHEMA_ENUM = 14,
    SCHEMA_SFIXED32 = 15,
    SCHEMA_SFIXED64 = 16,
    SCHEMA_SINT32 = 17,
    SCHEMA_SINT64 = 18,
} SchemaType;

typedef enum SchemaShape { SCHEMA_SINGULAR, SCHEMA_REPEATED_FIELD, SCHEMA_MAP } SchemaShape;

typedef enum SchemaFieldFlags {
    SCHEMA_HAS = 1 << 0, /* a singular scalar with presence: `presence` is the offset of its bool */
    SCHEMA_ONEOF_MEMBER = 1 << 1, /* `presence` is the offset of the oneof's int32_t which_… */
    SCHEMA_PACKED = 1 << 2,       /* written packed; both forms are always read */
    SCHEMA_REQUIRED = 1 << 3,     /* proto2 */
    SCHEMA_UTF8 = 1 << 4, /* a string that must be UTF-8 (proto3); proto2 strings are not checked */
    SCHEMA_CLOSED = 1 << 5, /* an enum whose unlisted numbers count as unknown fields (proto2) */
    SCHEMA_DEPRECATED = 1 << 6,
} SchemaFieldFlags;

/* One field. Hot members first: the codec touches only the first 24 bytes of most fields. */
struct SchemaField {
    uint32_t tag;    /* number << 3 | wire type as it is written (packed ones: length-delimited) */
    uint32_t offset; /* of the value in the struct */
    uint32_t presence; /* see the flags; 0 = none */
    uint8_t type;      /* SchemaType */
    uint8_t shape;     /* SchemaShape */
    uint8_t flags;     /* SchemaFieldFlags */
    uint8_t oneof;     /* index into the message's oneofs when SCHEMA_ONEOF_MEMBER */
    union {
        const SchemaMessage *message; /* message, group; the entry type of a map */
        const SchemaEnum *enumeration;
    };
    const char *name;      /* as in the .proto file */
    const char *json_name; /* lowerCamelCase, or json_name of the file; JSON need not escape it */
    uint16_t name_len;     /* strlen of the two, so that JSON need not count */
    uint16_t json_name_len;
};

static inline uint32_t schema_number(const SchemaField *field) {
    return field->tag >> 3;
}

struct SchemaOneof {
    const char *name;
    uint32_t which; /* offset of the int32_t */
};

/* Types that JSON writes in a way of their own (https://protobuf.dev/programming-guides/json/). */
typedef enum SchemaWellKnown {
    SCHEMA_ORDINARY,
    SCHEMA_ANY,
    SCHEMA_TIMESTAMP,
    SCHEMA_DURATION,
    SCHEMA_FIELD_MASK,
    SCHEMA_STRUCT,
    SCHEMA_VALUE,
    SCHEMA_LIST_VALUE,
    SCHEMA_WRAPPER, /* google.protobuf.*Value: one field `value` */
} SchemaWellKnown;

struct SchemaMessage {
    const SchemaField *fields; /* ascending by number */
    uint16_t field_count;
    uint16_t dense;     /* fields[i] has number i + 1 for all i < dense */
    uint32_t size;      /* of the struct, in bytes, a multiple of 8 */
    uint8_t well_known; /* SchemaWellKnown */
    bool map_entry;
    bool has_required; /* it, or a message below it, has required fields */
    uint8_t name_bits; /* name_slots has 1 << name_bits slots */
    uint16_t oneof_count;
    /* Open addressing by schema_name_hash, linear probing: index of a field + 1, 0 = empty. Every
     * field stands under its name and, where it differs, its json_name. NULL in the hand-made
     * tables of descriptor.c. Who looks a name up calls schema_field_by_name. */
    const uint16_t *name_slots;
    const SchemaOneof *oneofs;
    const void *initial;   /* image of a new message; NULL = zeroes */
    const char *full_name; /* "runtime.v1.LogEntry" */
    const SchemaFile *file;
};

typedef struct SchemaEnumValue {
    int32_t number;
    uint32_t name_len; /* strlen of it */
    const char *name;
} SchemaEnumValue;

struct SchemaEnum {
    const SchemaEnumValue *values; /* ascending by number, aliases in the order of the file */
    const uint16_t *by_name;       /* indices into values, names ascending bytewise */
    uint16_t count;
    bool closed;
    int32_t first; /* the value declared first: the default */
    const char *full_name;
    const SchemaFile *file;
};

/* google.api.HttpRule, flattened: the rule itself and each of its additional_bindings is one. */
typedef struct SchemaHttpRule {
    const char *verb;          /* "GET", "POST", … or the custom kind */
    const char *pattern;       /* "/v1/health/{service_name}" */
    const char *body;          /* "", "*" or a field name */
    const char *response_body; /* "" or a field name */
} SchemaHttpRule;

/* google.protobuf.MethodOptions.IdempotencyLevel */
typedef enum SchemaIdempotency {
    SCHEMA_IDEMPOTENCY_UNKNOWN,
    SCHEMA_NO_SIDE_EFFECTS,
    SCHEMA_IDEMPOTENT,
} SchemaIdempotency;

/* Which right a caller needs (proto/muster/options.proto). */
typedef enum SchemaScope {
    SCHEMA_SCOPE_CONTROL,
    SCHEMA_SCOPE_READ,
    SCHEMA_SCOPE_REPORT,
    SCHEMA_SCOPE_PUBLIC
} SchemaScope;

struct SchemaMethod {
    const char *name;
    const char *path; /* "/runtime.v1.LoggerService/QueryLogs" */
    const SchemaMessage *input;
    const SchemaMessage *output;
    const SchemaHttpRule *http;
    uint16_t http_count;
    bool client_streaming;
    bool server_streaming;
    bool deprecated;
    bool raw;            /* the handler gets undecoded messages */
    uint8_t idempotency; /* SchemaIdempotency */
    uint8_t scope;       /* SchemaScope; methods that say nothing need control */
};

struct SchemaService {
    const SchemaMethod *methods;
    uint16_t method_count;
    const char *full_name;
    const SchemaFile *file;
};

struct SchemaFile {
    const char *name;    /* "runtime/v1/logger.proto" */
    const char *package; /* "runtime.v1" */
    Span descriptor; /* serialised google.protobuf.FileDescriptorProto, without source positions */
    const SchemaFile *const *dependencies;
    /* All of them, nested ones too, in the order of the file. */
    const SchemaMessage *const *messages;
    const SchemaEnum *const *enums;
    const SchemaService *const *services;
    uint16_t dependency_count, message_count, enum_count, service_count;
};

/* Bytes of fields that a message's type does not know (and of unlisted values of closed enums),
 * tags included, in the order they came in. */
typedef struct SchemaUnknown SchemaUnknown;
struct SchemaUnknown {
    SchemaUnknown *next;
    Span bytes;
};

#define SCHEMA_REPEATED(T)                                                                         \
    struct {                                                                                       \
        T *items;                                                                                  \
        uint32_t count;                                                                            \
        uint32_t capacity;                                                                         \
    }

/* Any repeated member, seen without its type. */
typedef SCHEMA_REPEATED(void) SchemaArray;

/* Bytes that one element of the field takes in a SchemaArray; for a singular field, that the
 * value takes in the struct. */
size_t schema_element_size(const SchemaField *field);

const SchemaField *schema_field_by_number(const SchemaMessage *type, uint32_t number);

/* By proto name or else by JSON name; NULL when there is none. */
const SchemaField *schema_field_by_name(const SchemaMessage *type, Span name);

/* The hash that name_slots is built with; stable across builds. */
uint32_t schema_name_hash(Span name);

/* Name of a value, the first declared where there are aliases; NULL when the number is not
 * listed. */
const char *schema_enum_name(const SchemaEnum *type, int32_t number);
bool schema_enum_number(const SchemaEnum *type, Span name, int32_t *ret);

/* Whether a field is set: non-empty where it has no presence of its own. */
bool schema_field_is_set(const void *message, const SchemaField *field);

/* Where the field's value lies in the message. */
static inline void *schema_at(const void *message, const SchemaField *field) {
    return (char *)message + field->offset;
}

/* What was wrong with a message, where. Filled in on failure only. */
typedef struct SchemaError {
    size_t offset; /* byte of the input at which it was noticed */
    /* "services[3].metrics.cpu_percent"; "" for the message itself; cut from the left when too
     * long. */
    char path[192];
    char reason[160]; /* "varint longer than 10 bytes" */
} SchemaError;

/* "services[3].metrics: varint longer than 10 bytes (at byte 812)"; returns the length of the
 * whole text and cuts it when `room` is too small, as snprintf does. */
size_t schema_error_format(const SchemaError *error, char *out, size_t room);

#ifdef __cplusplus
}
#endif
