/* Messages as bytes and in memory: decode, encode, size, copy, merge, compare. Driven by the
 * tables of schema.h alone.
 *
 * Functions that can fail return 0 or a negative errno value: -EBADMSG malformed input, -ELOOP
 * nested deeper than allowed, -ENOMEM more memory than allowed, -EMSGSIZE a message over 2 GiB,
 * -ENOSPC the given room is too small. */
#pragma once

#include "base/arena.h"
#include "schema/schema.h"

#define SCHEMA_DEPTH_MAX 100

typedef struct SchemaDecode {
    /* Strings point into a copy of the input in the arena; otherwise into the input itself, which
     * must outlive the message. */
    bool copy_input;
    bool drop_unknown;  /* do not keep unknown fields */
    bool allow_partial; /* do not insist on required fields (proto2) */
    uint32_t depth;     /* nesting allowed; 0 = SCHEMA_DEPTH_MAX */
    size_t memory;      /* bytes by which the arena may grow; 0 = 1 MiB + 64 × the input */
} SchemaDecode;

/* A new, empty message. NULL only when the arena's limit is reached. */
void *schema_new(const SchemaMessage *type, Arena *arena);

/* Decodes one message. `options` and `error` may be NULL. Nothing is written to *ret on failure;
 * what was decoded so far stays behind in the arena. Of map entries with one key the last counts,
 * in the place of the first. */
int schema_decode(const SchemaMessage *type, Span input, const SchemaDecode *options, Arena *arena,
                  void **ret, SchemaError *error);

/* Bytes that the message takes encoded. */
size_t schema_size(const SchemaMessage *type, const void *message);

/* Encodes into the arena. The `headroom` bytes before ret->ptr belong to the caller (a gRPC
 * frame header goes there). Fields go out by ascending number, map entries in the order they
 * stand, unknown fields last. */
int schema_encode(const SchemaMessage *type, const void *message, size_t headroom, Arena *arena,
                  Span *ret);

/* Encodes into the last bytes of [begin, end); returns how many, or -ENOSPC. */
int64_t schema_encode_into(const SchemaMessage *type, const void *message, char *begin, char *end);

/* Whether all required fields are set; names the first that is not in `error`. */
int schema_check_required(const SchemaMessage *type, const void *message, SchemaError *error);

/* A copy that shares nothing with the original, strings included. The arena has no limit. */
void *schema_copy(const SchemaMessage *type, const void *message, Arena *arena);

/* Merges as if `from` had been decoded behind `into`: singular fields replaced, messages merged,
 * lists joined, map entries added or replaced. What is taken over is copied. The arena has no
 * limit. */
void schema_merge(const SchemaMessage *type, void *into, const void *from, Arena *arena);

/* Equal in every field, presence and unknown bytes. Map entries compare without order, numbers by
 * their bits (so 0.0 is not -0.0), but any NaN equals any other. */
bool schema_equal(const SchemaMessage *type, const void *a, const void *b);

/* Adds one element to a repeated field and returns it, all zeroes; NULL only when the arena's
 * limit is reached. */
void *schema_append_(SchemaArray *array, size_t size, Arena *arena);
#define schema_append(field, arena)                                                                \
    ((__typeof__((field)->items))schema_append_((SchemaArray *)(field), sizeof *(field)->items,    \
                                                arena))
