#include "base/hash.h"

uint64_t hash_bytes(Span bytes, uint64_t seed) {
    uint64_t hash = seed ^ UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ (uint8_t)bytes.ptr[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 32;
}
