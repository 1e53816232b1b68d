#include "store/segment_format.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>

#include "base/hash.h"

#define MAGIC         0x6765734du /* "Mseg" */
#define TRAILER_MAGIC 0x646e654du /* "Mend" */
#define KIND_SHIFT    24

/* ---- numbers ---- */

void put_u32(Buf *out, uint32_t value) {
    value = htole32(value);
    buf_add(out, span(&value, sizeof value));
}

void put_u64(Buf *out, uint64_t value) {
    value = htole64(value);
    buf_add(out, span(&value, sizeof value));
}

static uint32_t u32_at(const char *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static uint64_t u64_at(const char *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return le64toh(value);
}

Span take_bytes(Numbers *in, size_t size) {
    if (in->bad || in->left.len < size) {
        in->bad = true;
        return (Span){0};
    }
    Span taken = span(in->left.ptr, size);
    in->left = span_skip(in->left, size);
    return taken;
}

uint32_t take_u32(Numbers *in) {
    Span bytes = take_bytes(in, sizeof(uint32_t));
    return bytes.len ? u32_at(bytes.ptr) : 0;
}

uint64_t take_u64(Numbers *in) {
    Span bytes = take_bytes(in, sizeof(uint64_t));
    return bytes.len ? u64_at(bytes.ptr) : 0;
}

/* ---- headers ---- */

void segment_header_put(Buf *out, const SegmentHeader *header) {
    size_t from = out->len;
    put_u32(out, MAGIC);
    put_u32(out, SEGMENT_VERSION << 8 | header->packed);
    put_u64(out, header->id);
    put_u64(out, header->sequence);
    put_u64(out, hash_bytes(span(out->ptr + from, out->len - from), header->id));
}

int segment_header_get(Span bytes, SegmentHeader *ret) {
    if (bytes.len < SEGMENT_HEADER_SIZE || u32_at(bytes.ptr) != MAGIC)
        return -EBADMSG;
    uint64_t id = u64_at(bytes.ptr + 8);
    if (u64_at(bytes.ptr + 24) != hash_bytes(span(bytes.ptr, 24), id))
        return -EBADMSG;
    uint32_t form = u32_at(bytes.ptr + 4);
    if (form >> 8 > SEGMENT_VERSION)
        return -ENOTSUP;
    *ret = (SegmentHeader){form & 1, id, u64_at(bytes.ptr + 16)};
    return 0;
}

/* ---- records ---- */

/* Records begin at multiples of 8, so that they can be found again behind damage. */
static size_t padded(size_t size) {
    return (size + 7) & ~(size_t)7;
}

void segment_record_put(Buf *out, uint64_t id, const Record *record) {
    assert(record->payload.len <= SEGMENT_PAYLOAD_MAX);
    size_t size = SEGMENT_RECORD_SIZE + record->payload.len, whole = padded(size);
    char *at = buf_reserve(out, whole);
    uint64_t head[SEGMENT_RECORD_SIZE / 8] = {
        0,
        htole64((uint64_t)record->kind << (32 + KIND_SHIFT) | (uint64_t)record->stream << 32 |
                record->payload.len),
        htole64((uint64_t)record->offset),
        htole64((uint64_t)record->wall),
    };
    memcpy(at, head, sizeof head);
    if (record->payload.len)
        memcpy(at + sizeof head, record->payload.ptr, record->payload.len);
    memset(at + size, 0, whole - size);
    uint64_t checksum = htole64(hash_bytes(span(at + 8, size - 8), id));
    memcpy(at, &checksum, sizeof checksum);
    out->len += whole;
}

size_t segment_record_get(Span bytes, uint64_t id, Record *ret) {
    if (bytes.len < SEGMENT_RECORD_SIZE)
        return 0;
    uint32_t len = u32_at(bytes.ptr + 8), stream = u32_at(bytes.ptr + 12);
    size_t size = SEGMENT_RECORD_SIZE + (size_t)len;
    uint32_t kind = stream >> KIND_SHIFT;
    if (len > SEGMENT_PAYLOAD_MAX || kind < RECORD_BYTES || kind > RECORD_END ||
        padded(size) > bytes.len ||
        u64_at(bytes.ptr) != hash_bytes(span(bytes.ptr + 8, size - 8), id))
        return 0;
    Record record = {
        .kind = (RecordKind)kind,
        .stream = stream & (SEGMENT_MEMBERS_MAX - 1),
        .offset = (int64_t)u64_at(bytes.ptr + 16),
        .wall = (Nanos)u64_at(bytes.ptr + 24),
        .payload = span(bytes.ptr + SEGMENT_RECORD_SIZE, len),
    };
    if (record.offset < 0 || record.offset > INT64_MAX / 2 ||
        (kind == RECORD_LOST && (len != 8 || u64_at(record.payload.ptr) > INT64_MAX / 2)))
        return 0;
    *ret = record;
    return padded(size);
}

int64_t segment_record_end(const Record *record) {
    uint64_t size = record->kind == RECORD_LOST ? u64_at(record->payload.ptr) : record->payload.len;
    return record->offset + (int64_t)size;
}

void segment_lost_put(char out[8], uint64_t size) {
    size = htole64(size);
    memcpy(out, &size, sizeof size);
}

/* ---- packed blocks and the footer ---- */

void segment_block_put(Buf *out, uint64_t id, Span packed, uint32_t raw_size) {
    size_t from = out->len;
    put_u64(out, 0);
    put_u32(out, (uint32_t)packed.len);
    put_u32(out, raw_size);
    buf_add(out, packed);
    uint64_t checksum = htole64(hash_bytes(span(out->ptr + from + 8, out->len - from - 8), id));
    memcpy(out->ptr + from, &checksum, sizeof checksum);
}

int segment_block_get(Span bytes, uint64_t id, Span *ret_packed, uint32_t *ret_raw_size) {
    if (bytes.len < SEGMENT_BLOCK_HEAD)
        return -EBADMSG;
    size_t len = u32_at(bytes.ptr + 8);
    uint32_t raw_size = u32_at(bytes.ptr + 12);
    if (len > bytes.len - SEGMENT_BLOCK_HEAD || raw_size > SEGMENT_BLOCK_MAX ||
        u64_at(bytes.ptr) != hash_bytes(span(bytes.ptr + 8, SEGMENT_BLOCK_HEAD - 8 + len), id))
        return -EBADMSG;
    *ret_packed = span(bytes.ptr + SEGMENT_BLOCK_HEAD, len);
    *ret_raw_size = raw_size;
    return 0;
}

void segment_trailer_put(Buf *out, uint64_t id, Span footer) {
    uint64_t checksum = hash_bytes(footer, id);
    uint32_t len = (uint32_t)footer.len;
    put_u64(out, checksum);
    put_u32(out, len);
    put_u32(out, TRAILER_MAGIC);
}

int64_t segment_trailer_get(Span trailer) {
    if (trailer.len != SEGMENT_TRAILER || u32_at(trailer.ptr + 12) != TRAILER_MAGIC)
        return -EBADMSG;
    return u32_at(trailer.ptr + 8);
}

bool segment_footer_is_whole(Span footer, Span trailer, uint64_t id) {
    return u64_at(trailer.ptr) == hash_bytes(footer, id);
}
