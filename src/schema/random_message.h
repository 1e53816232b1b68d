/* Random messages of any type, for tests: filled through the tables from a seed, so that a
 * failure can be had again. */
#pragma once

#include "schema/codec.h"

typedef struct RandomMessage {
    uint64_t state; /* the seed at first */
    uint32_t depth; /* messages inside messages, at most */
    uint32_t fill;  /* percent of the fields that are set */
    uint32_t most;  /* elements of a list or map, bytes of a string, at most */
    bool json; /* only what JSON can say: no unknown fields, well-known types within their bounds */
} RandomMessage;

/* A generator with moderate bounds. */
RandomMessage random_message(uint64_t seed);

/* The next 64 random bits (SplitMix64). */
uint64_t random_bits(RandomMessage *random);

/* A number below `bound`, which is at least 1. */
uint32_t random_below(RandomMessage *random, uint32_t bound);

/* A message that a decoder could have given: distinct map keys, UTF-8 where it must be, required
 * fields set, listed numbers in closed enums. All of it lies in the arena. */
void *random_message_new(RandomMessage *random, const SchemaMessage *type, Arena *arena);
