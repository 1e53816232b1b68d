#include "cli/table.h"

#include <assert.h>
#include <stdlib.h>

#define GAP 2

static void add_cell(Table *table, Buf *text) {
    *array_push(&table->cells) = (char *)buf_cstr(text);
}

void table_init(Table *table, Style style_of, const char *const *titles) {
    *table = (Table){.style = style_of};
    for (; titles[table->columns]; table->columns++) {
        Buf text = {0};
        buf_printf(&text, "%s%s%s", style(style_of, STYLE_DIM), titles[table->columns],
                   style(style_of, STYLE_PLAIN));
        add_cell(table, &text);
    }
    assert(table->columns <= TABLE_COLUMNS_MAX);
}

void table_done(Table *table) {
    for (size_t i = 0; i < table->cells.count; i++)
        free(table->cells.items[i]);
    array_done(&table->cells);
}

void table_cell(Table *table, const char *colour, const char *format, ...) {
    Buf text = {0};
    va_list args;
    va_start(args, format);
    buf_add(&text, span_of(colour));
    size_t from = text.len;
    buf_vprintf(&text, format, args);
    va_end(args);
    for (size_t i = from; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            text.ptr[i] = '?';
    if (colour && *colour)
        buf_add(&text, span_of(style(table->style, STYLE_PLAIN)));
    add_cell(table, &text);
}

/* Appends as much of a cell as fits into so many columns, with all of its colours; returns how many
 * it took. */
static size_t write_cut(Span text, size_t room, Buf *out) {
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool escape = text.ptr[i] == '\033';
        size_t from = i;
        while (escape && i + 1 < text.len && text.ptr[i] != 'm')
            i++;
        if (!escape && ((unsigned char)text.ptr[i] & 0xc0) != 0x80)
            width++;
        if (escape || width <= room)
            buf_add(out, span(text.ptr + from, i + 1 - from));
    }
    return width < room ? width : room;
}

/* How wide each column is. Where there is not room for all, none but the last takes more than half
 * of it: a long name leaves room for what is said of it. */
static void measure(const Table *table, size_t columns, size_t *widths) {
    size_t count = table->columns, total = 0;
    for (size_t i = 0; i < table->cells.count; i++) {
        size_t width = style_width(span_of(table->cells.items[i]));
        if (width > widths[i % count])
            widths[i % count] = width;
    }
    for (size_t i = 0; i < count; i++)
        total += widths[i] + GAP;
    for (size_t i = 0; columns && total > columns && i + 1 < count; i++)
        if (widths[i] > columns / 2)
            widths[i] = columns / 2;
}

void table_write(const Table *table, size_t columns, Buf *out) {
    size_t widths[TABLE_COLUMNS_MAX] = {0}, count = table->columns;
    measure(table, columns, widths);
    for (size_t row = 0; row < table->cells.count; row += count) {
        size_t room = columns ? columns : SIZE_MAX, cells = table->cells.count - row;
        if (cells > count)
            cells = count;
        /* Empty cells at the end take no blanks. */
        while (cells > 1 && !style_width(span_of(table->cells.items[row + cells - 1])))
            cells--;
        for (size_t i = 0; i < cells; i++) {
            size_t most = i + 1 < count && widths[i] < room ? widths[i] : room;
            size_t width = write_cut(span_of(table->cells.items[row + i]), most, out);
            room -= width;
            size_t blanks = i + 1 < cells ? widths[i] - width + GAP : 0;
            blanks = blanks < room ? blanks : room;
            memset(buf_reserve(out, blanks + 1), ' ', blanks);
            out->len += blanks;
            room -= blanks;
        }
        buf_add_char(out, '\n');
    }
}

void table_print(const Table *table, FILE *out) {
    Buf text = {0};
    table_write(table, 0, &text);
    fwrite(text.ptr, 1, text.len, out);
    buf_done(&text);
}
