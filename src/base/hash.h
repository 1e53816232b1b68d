/* Hashing of byte strings. Not cryptographic: a secret seed keeps peers from aiming at
 * collisions. */
#pragma once

#include "base/span.h"

uint64_t hash_bytes(Span bytes, uint64_t seed);
