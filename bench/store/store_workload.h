/* What the programs of this measurement have in common. */
#pragma once

#include <string.h>

#include <stdbool.h>

#include "../measure.h"

#define KEYS        1000
#define VALUE_SIZE  100
#define PUT_SECONDS 3
#define PUT_MEASURE "durable put, %d callers"

#define ENTRY_SIZE 200
#define ENTRIES    INT64_C(1000000)
#define POOL       8192 /* different entries, made beforehand */
#define STREAMS    8
#define SYNC_EVERY 8192 /* entries: 1.6 MB */

/* A line as services print it: some words, some numbers. */
static inline void entry_make(char *out, int64_t number, uint64_t *random) {
    static const char *const WORDS[] = {"request", "handled",    "timeout", "connected",
                                        "user",    "calculated", "with",    "result"};
    size_t len = (size_t)snprintf(out, ENTRY_SIZE, "2026-11-21T10:00:00.%06dZ INFO req-%lld ",
                                  (int)(number % 1000000), (long long)number);
    while (len < ENTRY_SIZE - 1) {
        uint64_t draw = seeded(random);
        const char *word = WORDS[draw % 8];
        size_t size = strlen(word);
        if (size > ENTRY_SIZE - 1 - len)
            size = ENTRY_SIZE - 1 - len;
        memcpy(out + len, word, size);
        len += size;
        if (len < ENTRY_SIZE - 1)
            out[len++] = draw >> 32 & 1 ? ' ' : (char)('0' + (draw >> 40) % 10);
    }
    out[ENTRY_SIZE - 1] = '\n';
}

static inline void entries_make(char out[POOL][ENTRY_SIZE]) {
    uint64_t random = 1;
    for (int64_t i = 0; i < POOL; i++)
        entry_make(out[i], i, &random);
}

/* Rate and processor time of all entries. */
static inline void report_entries(int64_t begin, int64_t cpu) {
    double seconds = (double)(now_ns() - begin) / 1e9, busy = (double)(cpu_ns() - cpu) / 1e9;
    report("append, 200 bytes each", "MB/s", (double)ENTRIES * ENTRY_SIZE / 1e6 / seconds);
    report("append, 200 bytes each", "entries/s", (double)ENTRIES / seconds);
    report("processor at 500,000 entries/s", "% of a core", busy / (double)ENTRIES * 500000 * 100);
}
