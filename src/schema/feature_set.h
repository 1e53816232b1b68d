/* What proto2, proto3 and the editions say differently, as one set of features:
 * https://protobuf.dev/editions/features/ . */
#pragma once

#include "base/arena.h"
#include "schema/schema.h"

/* The fields of google.protobuf.FeatureSet that change how messages look, by number. */
enum {
    FEATURE_PRESENCE = 1, /* explicit, implicit, required */
    FEATURE_ENUM = 2,     /* open, closed */
    FEATURE_REPEATED = 3, /* packed, expanded */
    FEATURE_UTF8 = 4,     /* -, verify, none */
    FEATURE_MESSAGE = 5,  /* length-prefixed, delimited */
    FEATURES,
};

enum { PRESENCE_EXPLICIT = 1, PRESENCE_IMPLICIT = 2, PRESENCE_REQUIRED = 3 };
enum { ENUM_OPEN = 1, ENUM_CLOSED = 2 };
enum { REPEATED_PACKED = 1, REPEATED_EXPANDED = 2 };
enum { UTF8_VERIFY = 2, UTF8_NONE = 3 };
enum { MESSAGE_LENGTH_PREFIXED = 1, MESSAGE_DELIMITED = 2 };

typedef struct Features {
    uint8_t of[FEATURES]; /* of[FEATURE_ENUM] == ENUM_OPEN */
} Features;

/* What a file begins with. `syntax` is "proto2", "proto3", "editions" or "", `edition` a
 * google.protobuf.Edition. False when this is no syntax or edition that we know. */
bool features_of_file(Span syntax, uint64_t edition, Features *ret);

/* Applies what a google.protobuf.FeatureSet says. */
void features_apply(Features *features, Span feature_set);

/* Values inside an encoded message, for options that have no table: the last one of a number
 * (varint), or the content of all of a number joined (which merges messages). */
bool options_varint(Span message, uint32_t number, uint64_t *ret);
Span options_message(Span message, uint32_t number, Arena *arena);

/* All unknown bytes of a message as one. */
Span options_unknown(const SchemaUnknown *unknown, Arena *arena);
