/* Tables for people: columns as wide as what stands in them, two spaces apart, the last unpadded. */
#pragma once

#include <stdio.h>

#include "base/array.h"
#include "base/buf.h"
#include "cli/style.h"

#define TABLE_COLUMNS_MAX 16

typedef struct Table {
    Style style;
    size_t columns;
    ARRAY(char *) cells; /* row by row; what is drawn, with its colours */
} Table;

/* A table whose first row is the titles; the list ends with NULL. */
void table_init(Table *table, Style style, const char *const *titles);
void table_done(Table *table);

/* The next cell, filling rows from the left. Control characters become '?'. */
void table_cell(Table *table, const char *colour, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends it; `columns` cuts each line (0 = nothing is cut). */
void table_write(const Table *table, size_t columns, Buf *out);
void table_print(const Table *table, FILE *out);
