/* The two messages of calculator.proto, by hand: they are two doubles and one. */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define CALCULATOR_PATH "/calculator.v1.CalculatorService/"

enum { DOUBLE_SIZE = 9 }; /* a byte of field number and type, then eight of the number */

/* Appends the field of that number (1 to 15): how many bytes it took. */
static inline size_t put_double(char *out, int field, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = htole64(bits);
    out[0] = (char)(field << 3 | 1);
    memcpy(out + 1, &bits, sizeof bits);
    return DOUBLE_SIZE;
}

/* Reads fields 1 to `count` into `values`; those left out are 0. False for anything else. */
static inline bool get_doubles(const char *bytes, size_t len, double *values, int count) {
    memset(values, 0, (size_t)count * sizeof *values);
    for (size_t at = 0; at < len; at += DOUBLE_SIZE) {
        int field = bytes[at] >> 3;
        uint64_t bits;
        if (len - at < DOUBLE_SIZE || (bytes[at] & 7) != 1 || field < 1 || field > count)
            return false;
        memcpy(&bits, bytes + at + 1, sizeof bits);
        bits = le64toh(bits);
        memcpy(&values[field - 1], &bits, sizeof bits);
    }
    return true;
}
