/* What a unit test includes: cmocka and a few assertions of ours. A test file is a program of
 * its own beside what it tests (foo.c, foo_test.c); its main runs one group and exits with the
 * number of failures. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/span.h"

#define assert_span(actual, text)                                                                  \
    do {                                                                                           \
        Span actual_ = (actual), wanted_ = span_of(text);                                          \
        if (!span_equal(actual_, wanted_))                                                         \
            fail_msg("got '%.*s', want '%.*s'", SPAN_ARGS(actual_), SPAN_ARGS(wanted_));           \
    } while (0)

/* Random numbers that a failing test can be repeated with: SplitMix64 (Steele, Lea and Flood,
 * "Fast splittable pseudorandom number generators", 2014). */
typedef struct TestRandom {
    uint64_t state;
} TestRandom;

/* Seeded by TEST_SEED from the environment, else by a constant; the log shows it. */
static inline TestRandom test_random(void) {
    const char *seed = getenv("TEST_SEED");
    TestRandom random = {seed ? strtoull(seed, NULL, 0) : 20261121};
    printf("# TEST_SEED=%llu\n", (unsigned long long)random.state);
    return random;
}

static inline uint64_t test_random_bits(TestRandom *random) {
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 to bound - 1. */
static inline uint64_t test_random_below(TestRandom *random, uint64_t bound) {
    return test_random_bits(random) % bound;
}
