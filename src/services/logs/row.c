#include "services/logs/row.h"

#include <errno.h>

#include "base/hash.h"

#define MAGIC      UINT32_C(0x31524c4d) /* "MLR1" */
#define HEAD       12
#define KIND_ROWS  1
#define KIND_NAMED 2

/* Room for the head, filled in by `end_record`. */
static size_t begin_record(Buf *out) {
    size_t at = out->len;
    memset(buf_reserve(out, HEAD), 0, HEAD);
    out->len += HEAD;
    return at;
}

static void put32(char *at, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        at[i] = (char)(value >> (8 * i));
}

static uint32_t get32(const char *at) {
    uint32_t value = 0;
    for (unsigned i = 4; i--;)
        value = value << 8 | (unsigned char)at[i];
    return value;
}

static void end_record(Buf *out, size_t at) {
    Span body = span(out->ptr + at + HEAD, out->len - at - HEAD);
    put32(out->ptr + at, MAGIC);
    put32(out->ptr + at + 4, (uint32_t)body.len);
    put32(out->ptr + at + 8, (uint32_t)hash_bytes(body, MAGIC));
}

void row_write_source(Buf *out, uint16_t id, const RowSource *source) {
    size_t at = begin_record(out);
    pack_byte(out, KIND_NAMED);
    pack_number(out, id);
    pack_text(out, source->place);
    pack_text(out, source->service);
    pack_text(out, source->instance);
    pack_signed(out, source->run);
    pack_number(out, (uint64_t)source->stream);
    pack_signed(out, source->base);
    pack_signed(out, source->rowed);
    end_record(out, at);
}

/* Each row goes by what is likely: it follows where the last one ended, a moment after it. */
void row_encode(Buf *out, const Row *rows, size_t count) {
    int64_t offset = 0;
    Nanos time = 0;
    for (size_t i = 0; i < count; i++) {
        const Row *row = &rows[i];
        pack_number(out, (uint64_t)row->source << 3 | row->level);
        pack_number(out, row->size);
        pack_signed(out, row->offset - offset);
        pack_signed(out, row->time - time);
        offset = row->offset + row->size;
        time = row->time;
    }
}

void row_write_rows(Buf *out, int64_t first, const Row *rows, size_t count) {
    size_t at = begin_record(out);
    pack_byte(out, KIND_ROWS);
    pack_signed(out, first);
    pack_number(out, count);
    row_encode(out, rows, count);
    end_record(out, at);
}

static bool read_body(Span body, RowRecord *ret) {
    Unpack in = unpack_begin(body);
    uint8_t kind = unpack_byte(&in);
    *ret = (RowRecord){.is_source = kind == KIND_NAMED};
    if (kind == KIND_NAMED) {
        ret->id = (uint16_t)unpack_number(&in);
        ret->source.place = unpack_text(&in);
        ret->source.service = unpack_text(&in);
        ret->source.instance = unpack_text(&in);
        ret->source.run = unpack_signed(&in);
        ret->source.stream = (int32_t)unpack_number(&in);
        ret->source.base = unpack_signed(&in);
        ret->source.rowed = unpack_signed(&in);
        return !in.failed;
    }
    ret->first = unpack_signed(&in);
    uint64_t count = unpack_number(&in);
    ret->rows = span(in.at, (size_t)(in.end - in.at));
    ret->count = (uint32_t)count;
    return kind == KIND_ROWS && !in.failed && count <= body.len && ret->first >= 0;
}

int row_read_record(Span bytes, size_t *at, RowRecord *ret, size_t *ret_lack) {
    Span rest = span_skip(bytes, *at);
    if (rest.len < HEAD) {
        *ret_lack = HEAD - rest.len;
        return 0;
    }
    size_t size = get32(rest.ptr + 4);
    if (get32(rest.ptr) == MAGIC && size <= ROW_RECORD_MAX) {
        if (rest.len - HEAD < size) {
            *ret_lack = size - (rest.len - HEAD);
            return 0;
        }
        Span body = span(rest.ptr + HEAD, size);
        if ((uint32_t)hash_bytes(body, MAGIC) == get32(rest.ptr + 8) && read_body(body, ret)) {
            *at += HEAD + size;
            return 1;
        }
    }
    /* The next place that looks like a beginning. */
    static const char BEGIN[] = "MLR1";
    const char *next = memmem(rest.ptr + 1, rest.len - 1, BEGIN, 4);
    *at = next ? (size_t)(next - bytes.ptr) : bytes.len - 3;
    return -EBADMSG;
}

bool row_decode(Span bytes, uint32_t count, Rows *out) {
    Unpack in = unpack_begin(bytes);
    int64_t offset = 0;
    Nanos time = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t source = unpack_number(&in), size = unpack_number(&in);
        Row row = {.level = source & 7, .source = (uint16_t)(source >> 3), .size = (uint32_t)size};
        row.offset = (int64_t)((uint64_t)offset + (uint64_t)unpack_signed(&in));
        row.time = (Nanos)((uint64_t)time + (uint64_t)unpack_signed(&in));
        if (in.failed || source >> 3 >= ROW_SOURCES_MAX || size > ROW_RECORD_MAX ||
            row.offset < 0 || row.offset > INT64_MAX / 2)
            return false;
        offset = row.offset + row.size;
        time = row.time;
        *array_push(out) = row;
    }
    return true;
}

void row_write_filler(Buf *out, Span begun) {
    char head[HEAD] = {0};
    if (begun.len)
        memcpy(head, begun.ptr, begun.len < HEAD ? begun.len : HEAD);
    size_t size = begun.len >= HEAD ? HEAD + get32(head + 4) : HEAD;
    size_t lack = size > begun.len ? size - begun.len : 0;
    memset(buf_reserve(out, lack + 1), 0, lack);
    out->len += lack;
}
