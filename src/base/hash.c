/* wyhash, final version 4, by Wang Yi (https://github.com/wangyi-fudan/wyhash, public domain):
 * 64 x 64 -> 128 bit multiplications folded by xor. The result depends on the byte order of the
 * machine, which is fine for what never leaves it. */
#include "base/hash.h"

static const uint64_t secret[4] = {
    UINT64_C(0x2d358dccaa6c78a5),
    UINT64_C(0x8bb84b93962eacc9),
    UINT64_C(0x4b33a62ed433d4a3),
    UINT64_C(0x4d5a2da51de1aa47),
};

static inline uint64_t mix(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t read8(const char *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t read4(const char *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* One to three bytes. */
static inline uint64_t read_few(const char *at, size_t len) {
    return (uint64_t)(uint8_t)at[0] << 16 | (uint64_t)(uint8_t)at[len >> 1] << 8 |
           (uint8_t)at[len - 1];
}

uint64_t hash_bytes(Span bytes, uint64_t seed) {
    const char *at = bytes.ptr;
    size_t len = bytes.len;
    uint64_t a = 0, b = 0;
    seed ^= mix(seed ^ secret[0], secret[1]);
    if (len > 16) {
        size_t left = len;
        if (left >= 48) {
            uint64_t lane1 = seed, lane2 = seed;
            do {
                seed = mix(read8(at) ^ secret[1], read8(at + 8) ^ seed);
                lane1 = mix(read8(at + 16) ^ secret[2], read8(at + 24) ^ lane1);
                lane2 = mix(read8(at + 32) ^ secret[3], read8(at + 40) ^ lane2);
                at += 48;
                left -= 48;
            } while (left >= 48);
            seed ^= lane1 ^ lane2;
        }
        for (; left > 16; at += 16, left -= 16)
            seed = mix(read8(at) ^ secret[1], read8(at + 8) ^ seed);
        a = read8(at + left - 16);
        b = read8(at + left - 8);
    } else if (len >= 4) {
        size_t middle = len >> 3 << 2;
        a = read4(at) << 32 | read4(at + middle);
        b = read4(at + len - 4) << 32 | read4(at + len - 4 - middle);
    } else if (len > 0) {
        a = read_few(at, len);
    }
    unsigned __int128 product = (unsigned __int128)(a ^ secret[1]) * (b ^ seed);
    return mix((uint64_t)product ^ secret[0] ^ len, (uint64_t)(product >> 64) ^ secret[1]);
}
