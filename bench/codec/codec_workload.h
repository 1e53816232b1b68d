/* The messages that every codec works on, and how its work is measured.
 *
 * The data file, written by data.c, holds three sections: HeartbeatRequest, LogEntry and
 * TopologySnapshot. Each is a count, then for each message its length and its bytes; numbers are
 * 32 bits, little-endian. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "../measure.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Section {
    const char *name;
    uint32_t count;
    const char **ptr;
    uint32_t *len;
    size_t bytes; /* of all its messages */
} Section;

enum { HEARTBEAT, LOG_ENTRY, SNAPSHOT, SECTIONS };

/* How often malloc and its like were called so far, by anyone in the process. */
uint64_t allocations(void);

#ifdef __cplusplus
}
#endif

static inline uint32_t read_number(FILE *file) {
    uint32_t number = 0;
    if (fread(&number, sizeof number, 1, file) != 1)
        abort();
    return number;
}

static inline void read_sections(const char *path, Section sections[SECTIONS]) {
    static const char *const NAMES[] = {"HeartbeatRequest", "LogEntry", "TopologySnapshot"};
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    for (int i = 0; i < SECTIONS; i++) {
        uint32_t count = read_number(file);
        Section section = {NAMES[i], count, (const char **)calloc(count, sizeof(char *)),
                           (uint32_t *)calloc(count, sizeof(uint32_t)), 0};
        for (uint32_t j = 0; j < count; j++) {
            uint32_t len = section.len[j] = read_number(file);
            char *bytes = (char *)malloc(len + 1);
            if (fread(bytes, 1, len, file) != len)
                abort();
            section.ptr[j] = bytes;
            section.bytes += len;
        }
        sections[i] = section;
    }
    fclose(file);
}

/* Handles one message of the section; returns the size of what it made. */
typedef size_t Work(void *state, uint32_t index);

/* Handles all messages of the section again and again, for a tenth of a second to warm up and
 * half a second to measure, and reports the time and allocations each took. */
static inline void measure(const Section *section, const char *what, Work *work, void *state) {
    char name[80];
    size_t made = 0;
    uint64_t messages = 0, before = 0;
    int64_t start = cpu_ns(), warm = start + 100000000, end = 0, now = 0;
    for (;;) {
        for (uint32_t i = 0; i < section->count; i++)
            made += work(state, i);
        messages += section->count;
        now = cpu_ns();
        if (!end && now >= warm) {
            made = messages = 0;
            start = now;
            end = now + 500000000;
            before = allocations();
        } else if (end && now >= end) {
            break;
        }
    }
    uint64_t allocated = allocations() - before;
    if (made == 0)
        abort();
    snprintf(name, sizeof name, "%s %s", section->name, what);
    report(name, "ns", (double)(now - start) / (double)messages);
    if (section->bytes > 100000 * (size_t)section->count)
        report(name, "MB/s", (double)made * 1e3 / (double)(now - start));
    report(name, "mallocs", (double)allocated / (double)messages);
}
