#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };

/* ---- memory ---- */

static void *checked(void *memory) {
    if (!memory) {
        fputs("muster: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *mu_allocate(size_t size) {
    return checked(calloc(1, size));
}

char *mu_copy_text(const char *text) {
    return text ? checked(strdup(text)) : NULL;
}

void mu_bytes_done(Bytes *bytes) {
    free(bytes->ptr);
    *bytes = (Bytes){0};
}

char *mu_bytes_reserve(Bytes *bytes, size_t more) {
    if (bytes->cap - bytes->len < more) {
        size_t cap = bytes->cap ? bytes->cap : 256;
        while (cap - bytes->len < more)
            cap *= 2;
        bytes->ptr = checked(realloc(bytes->ptr, cap));
        bytes->cap = cap;
    }
    return bytes->ptr + bytes->len;
}

void mu_bytes_add(Bytes *bytes, const void *from, size_t len) {
    if (!len)
        return;
    memcpy(mu_bytes_reserve(bytes, len), from, len);
    bytes->len += len;
}

void mu_bytes_add_text(Bytes *bytes, const char *text) {
    mu_bytes_add(bytes, text, strlen(text));
}

void mu_bytes_drop(Bytes *bytes, size_t len) {
    bytes->len -= len;
    if (bytes->len)
        memmove(bytes->ptr, bytes->ptr + len, bytes->len);
}

/* ---- writing ---- */

static void put_varint(Bytes *out, uint64_t value) {
    for (; value >= 0x80; value >>= 7)
        *mu_bytes_reserve(out, 1) = (char)(value | 0x80), out->len++;
    *mu_bytes_reserve(out, 1) = (char)value;
    out->len++;
}

static void put_tag(Bytes *out, int field, int type) {
    put_varint(out, (uint64_t)field << 3 | (uint64_t)type);
}

static void put_length(Bytes *out, int field, const char *bytes, size_t len) {
    put_tag(out, field, LENGTH);
    put_varint(out, len);
    mu_bytes_add(out, bytes, len);
}

void mu_put_text(Bytes *out, int field, const char *text) {
    if (text && *text)
        put_length(out, field, text, strlen(text));
}

void mu_put_number_always(Bytes *out, int field, int64_t value) {
    put_tag(out, field, VARINT);
    put_varint(out, (uint64_t)value);
}

void mu_put_number(Bytes *out, int field, int64_t value) {
    if (value)
        mu_put_number_always(out, field, value);
}

void mu_put_double(Bytes *out, int field, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_tag(out, field, FIXED64);
    for (int i = 0; i < 8; i++) {
        *mu_bytes_reserve(out, 1) = (char)(bits >> 8 * i);
        out->len++;
    }
}

void mu_put_message(Bytes *out, int field, Bytes *inner) {
    put_length(out, field, inner->ptr, inner->len);
    inner->len = 0;
}

void mu_put_packed(Bytes *out, int field, const int64_t *values, size_t count) {
    Bytes packed = {0};
    for (size_t i = 0; i < count; i++)
        put_varint(&packed, (uint64_t)values[i]);
    if (count)
        put_length(out, field, packed.ptr, packed.len);
    mu_bytes_done(&packed);
}

/* ---- reading ---- */

Reader mu_reader_of(const char *bytes, size_t len) {
    return (Reader){.at = bytes, .end = len ? bytes + len : bytes};
}

Reader mu_reader_inner(const Reader *reader) {
    return mu_reader_of(reader->text, reader->len);
}

static bool take_varint(Reader *reader, uint64_t *ret) {
    uint64_t value = 0;
    const char *at = reader->at;
    for (int shift = 0; shift < 64 && at < reader->end; shift += 7) {
        unsigned char byte = (unsigned char)*at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            reader->at = at;
            *ret = value;
            return true;
        }
    }
    return false;
}

bool mu_reader_next(Reader *reader) {
    uint64_t tag, len;
    const char *before = reader->at;
    if (before == reader->end || !take_varint(reader, &tag))
        return false;
    reader->field = (int)(tag >> 3);
    reader->number = 0;
    reader->text = NULL;
    reader->len = 0;
    switch (tag & 7) {
    case VARINT:
        if (take_varint(reader, &len)) {
            reader->number = (int64_t)len;
            return true;
        }
        break;
    case FIXED32:
    case FIXED64:
        len = (tag & 7) == FIXED32 ? 4 : 8;
        if (len <= (uint64_t)(reader->end - reader->at)) {
            reader->at += len;
            return true;
        }
        break;
    case LENGTH:
        if (take_varint(reader, &len) && len <= (uint64_t)(reader->end - reader->at)) {
            reader->text = reader->at;
            reader->len = (size_t)len;
            reader->at += len;
            return true;
        }
        break;
    }
    reader->at = before;
    return false;
}

void mu_reader_text(const Reader *reader, char *out, size_t size) {
    size_t len = reader->len < size ? reader->len : size - 1;
    if (len)
        memcpy(out, reader->text, len);
    out[len] = 0;
}
