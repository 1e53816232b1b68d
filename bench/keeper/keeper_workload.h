/* What every peer does: starts PROCESSES of sleep and waits until all run; ends them; takes LINES
 * lines of output of one process. */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"

#define PROCESSES  100
#define LINES      2000000
#define LINE       "2026-11-21T06:49:08.123Z INFO request served in 12 ms\n"
#define LINE_BYTES (sizeof LINE - 1)

/* The process that writes, when we are started as one: blocks of some lines, as buffered output
 * comes. */
static inline int write_lines(void) {
    static char block[4096];
    size_t lines = sizeof block / LINE_BYTES;
    for (size_t i = 0; i < lines; i++)
        memcpy(block + i * LINE_BYTES, LINE, LINE_BYTES);
    for (size_t left = LINES; left > 0;) {
        size_t count = left < lines ? left : lines;
        for (size_t at = 0; at < count * LINE_BYTES;) {
            ssize_t written = write(1, block + at, count * LINE_BYTES - at);
            if (written < 0)
                return 1;
            at += (size_t)written;
        }
        left -= count;
    }
    return 0;
}
