/* What the programs under measurement share, in C and C++: a clock, the heap, a seeded generator,
 * and the form of a result, which bench/run.py reads. */
#pragma once

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

/* One result: "insert<TAB>ns<TAB>104.2". What is better, less or more, is said by the unit: rates
 * (…/s) are better high, all else low. */
static inline void report(const char *measure, const char *unit, double value) {
    printf("%s\t%s\t%.6g\n", measure, unit, value);
}

static inline int64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Time as it passes. */
static inline int64_t now_ns(void) {
    return clock_ns(CLOCK_MONOTONIC);
}

/* Processor time of this process, so that what else the machine does counts for little. */
static inline int64_t cpu_ns(void) {
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* Bytes in use on the heap, mapped blocks included. */
static inline size_t heap_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* SplitMix64: https://prng.di.unimi.it/splitmix64.c */
static inline uint64_t seeded(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
