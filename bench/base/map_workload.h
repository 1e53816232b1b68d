/* A million objects with 36-byte ids (the shape of a UUID), the order in which they are looked
 * up, and as many ids that nobody has: the same for every map. */
#pragma once

#include <stdlib.h>

#include "../measure.h"

#define ITEMS   1000000
#define ID_SIZE 36

typedef struct Item {
    char id[ID_SIZE];
    uint32_t value;
} Item;

typedef struct Workload {
    Item *items;
    Item *strangers; /* ids that are in no map */
    uint32_t *order; /* a permutation of 0 … ITEMS - 1 */
} Workload;

static inline void workload_ids(Item *items, uint64_t seed) {
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint64_t high = seeded(&seed), low = seeded(&seed);
        char text[ID_SIZE + 1];
        snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
                 (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xffff), (unsigned)(low >> 48),
                 (unsigned long long)(low & 0xffffffffffff));
        for (int c = 0; c < ID_SIZE; c++)
            items[i].id[c] = text[c];
        items[i].value = i;
    }
}

static inline Workload workload(void) {
    Workload w = {(Item *)calloc(ITEMS, sizeof(Item)), (Item *)calloc(ITEMS, sizeof(Item)),
                  (uint32_t *)calloc(ITEMS, sizeof(uint32_t))};
    workload_ids(w.items, 1);
    workload_ids(w.strangers, 2);
    uint64_t seed = 3;
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint32_t j = (uint32_t)(seeded(&seed) % (i + 1));
        w.order[i] = w.order[j];
        w.order[j] = i;
    }
    return w;
}

/* MEASURE("insert") statement-or-block: reports the time it takes, divided by ITEMS. */
#define MEASURE(name)                                                                              \
    for (int64_t start_ = cpu_ns(), once_ = 1; once_;                                              \
         report(name, "ns", (double)(cpu_ns() - start_) / ITEMS), once_ = 0)

/* Fails loudly when a map has not found what it should have, so that no work is skipped. */
static inline void expect(uint64_t actual, uint64_t wanted) {
    if (actual != wanted) {
        fprintf(stderr, "wrong result: %llu, want %llu\n", (unsigned long long)actual,
                (unsigned long long)wanted);
        exit(1);
    }
}

#define SUM_OF_VALUES ((uint64_t)ITEMS * (ITEMS - 1) / 2)
