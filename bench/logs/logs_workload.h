/* The log that all peers are given: a million entries of about 200 bytes, of twenty services, ten
 * entries a request, with numbers and identifiers as real logs have them. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "measure.h"

#define ENTRIES     1000000
#define SERVICES    20
#define PER_REQUEST 10
#define QUIET       10000 /* the first entries are of a service that says nothing more */

typedef struct WorkEntry {
    char service[16];
    int level; /* as runtime.v1.LogLevel has it */
    char message[256];
    char request[40]; /* the correlation id */
} WorkEntry;

/* Entry number `n`; the same for everybody. One in 100,000 says "deadlock", one in 1,000
 * "upstream timeout". */
static inline void work_entry(size_t n, WorkEntry *out) {
    static const char *const PATHS[] = {"/api/orders", "/api/users/profile", "/api/cart/items",
                                        "/healthz", "/api/payments/capture"};
    static const char *const USERS[] = {"alice", "bob", "carol", "dave", "erin", "frank"};
    uint64_t state = n * 7919 + 1, request = (n / PER_REQUEST) * 31 + 5;
    uint64_t a = seeded(&state), b = seeded(&state), c = seeded(&request), d = seeded(&request);
    snprintf(out->service, sizeof out->service, "service-%02d", (int)(a % SERVICES));
    snprintf(out->request, sizeof out->request, "%08x-%04x-%04x-%04x-%012llx", (unsigned)c,
             (unsigned)(c >> 32) & 0xffff, (unsigned)(c >> 48), (unsigned)d & 0xffff,
             (unsigned long long)(d >> 16));
    if (n < QUIET)
        strcpy(out->service, "service-quiet");
    out->level = a % 97 == 0 ? 4 : a % 29 == 0 ? 3 : 2;
    const char *what = n % 100000 == 50000 ? "deadlock detected, transaction rolled back"
                       : n % 1000 == 500   ? "upstream timeout while reading response header"
                                           : "request completed and response sent to client";
    snprintf(
        out->message, sizeof out->message,
        "%s %s user=%s status=%d bytes=%u duration_ms=%u.%03u remote=10.%u.%u.%u:%u trace=%016llx",
        what, PATHS[b % 5], USERS[(b >> 8) % 6], (b >> 16) % 50 ? 200 : 500,
        (unsigned)(b >> 20) % 90000, (unsigned)(b >> 40) % 900, (unsigned)(b >> 30) % 1000,
        (unsigned)(a >> 8) & 255, (unsigned)(a >> 16) & 255, (unsigned)(a >> 24) & 255,
        (unsigned)(a >> 32) & 0xffff, (unsigned long long)c);
}
