/* How an operation at the edge of the program ended: a code that every protocol knows, a message
 * for people, and optional details. Inside the program, functions return negative errno values;
 * a Status is made where a caller outside must be told. Codes and their meaning are gRPC's
 * (https://grpc.github.io/grpc/core/md_doc_statuscodes.html). */
#pragma once

#include "base/buf.h"

typedef enum StatusCode {
    STATUS_OK = 0,
    STATUS_CANCELLED = 1,
    STATUS_UNKNOWN = 2,
    STATUS_INVALID_ARGUMENT = 3,
    STATUS_DEADLINE_EXCEEDED = 4,
    STATUS_NOT_FOUND = 5,
    STATUS_ALREADY_EXISTS = 6,
    STATUS_PERMISSION_DENIED = 7,
    STATUS_RESOURCE_EXHAUSTED = 8,
    STATUS_FAILED_PRECONDITION = 9,
    STATUS_ABORTED = 10,
    STATUS_OUT_OF_RANGE = 11,
    STATUS_UNIMPLEMENTED = 12,
    STATUS_INTERNAL = 13,
    STATUS_UNAVAILABLE = 14,
    STATUS_DATA_LOSS = 15,
    STATUS_UNAUTHENTICATED = 16,
} StatusCode;

#define STATUS_CODES 17

/* One detail: a message packed as google.protobuf.Any would be. */
typedef struct StatusDetail {
    Span type; /* full name, as "google.rpc.BadRequest" */
    Span value;
} StatusDetail;

/* Message and details are borrowed: they live in the arena that the Status was made in, or are
 * constant. */
typedef struct Status {
    StatusCode code;
    Span message;
    const StatusDetail *details;
    size_t detail_count;
} Status;

static inline Status status_ok(void) {
    return (Status){0};
}

/* A Status whose message is formatted into the arena, which has no limit. */
Status status_make(Arena *arena, StatusCode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The code's name in upper case ("NOT_FOUND"); "UNKNOWN" for numbers outside the list. */
const char *status_name(int code);

/* The code of a name in upper or lower case ("NOT_FOUND", "not_found"); -1 when there is none. */
int status_from_name(Span name);
