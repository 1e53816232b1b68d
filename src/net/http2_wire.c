#include "net/http2_wire.h"

static uint32_t number(const uint8_t *bytes, size_t count) {
    uint32_t value = 0;
    for (size_t i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void note_ended(Http2Wire *wire, uint32_t stream) {
    wire->ended[wire->ends++ % HTTP2_ENDED] = stream;
}

static bool has_ended(const Http2Wire *wire, uint32_t stream) {
    for (size_t i = 0; i < HTTP2_ENDED; i++)
        if (wire->ended[i] == stream)
            return stream != 0;
    return false;
}

static bool was_skipped(const Http2Wire *wire, uint32_t stream) {
    for (size_t i = 0; i < HTTP2_SKIPPED; i++)
        if (wire->skipped[i].from && wire->skipped[i].from <= stream &&
            stream <= wire->skipped[i].to)
            return true;
    return false;
}

/* RFC 9113, 5.1.1: ids rise. */
static uint32_t check_headers(Http2Wire *wire, uint32_t stream) {
    if (stream % 2 == 0)
        return NGHTTP2_NO_ERROR; /* nghttp2 refuses it */
    if (stream > wire->last) {
        uint32_t expected = wire->last ? wire->last + 2 : 1;
        if (stream > expected)
            wire->skipped[wire->skips++ % HTTP2_SKIPPED] = (Http2Skipped){expected, stream - 2};
        wire->last = stream;
        return NGHTTP2_NO_ERROR;
    }
    if (was_skipped(wire, stream))
        return NGHTTP2_PROTOCOL_ERROR;
    return has_ended(wire, stream) ? NGHTTP2_STREAM_CLOSED : NGHTTP2_NO_ERROR;
}

/* One frame's head. Returns the connection error that it is. */
static uint32_t check(Http2Wire *wire, uint32_t *glitches) {
    uint32_t length = number(wire->head, 3), stream = number(wire->head + 5, 4) & INT32_MAX;
    uint8_t type = wire->head[3], flags = wire->head[4];
    bool end = flags & NGHTTP2_FLAG_END_STREAM;
    uint32_t error = NGHTTP2_NO_ERROR;
    wire->payload = length;
    switch (type) {
    case NGHTTP2_HEADERS:
        error = check_headers(wire, stream);
        break;
    case NGHTTP2_DATA:
        if (has_ended(wire, stream))
            error = NGHTTP2_STREAM_CLOSED;
        *glitches += length == 0 && !end;
        break;
    case NGHTTP2_CONTINUATION:
        *glitches += length == 0;
        return NGHTTP2_NO_ERROR;
    case NGHTTP2_RST_STREAM:
        note_ended(wire, stream);
        return NGHTTP2_NO_ERROR;
    case NGHTTP2_SETTINGS:
        *glitches += !(flags & NGHTTP2_FLAG_ACK);
        return NGHTTP2_NO_ERROR;
    case NGHTTP2_PING:
    case NGHTTP2_WINDOW_UPDATE: /* http2.c sets these and resets against what brings them about */
    case NGHTTP2_GOAWAY:
    case NGHTTP2_PUSH_PROMISE:
        return NGHTTP2_NO_ERROR;
    default: /* PRIORITY, and what nobody knows */
        ++*glitches;
        return NGHTTP2_NO_ERROR;
    }
    if (end)
        note_ended(wire, stream);
    return error;
}

size_t http2_wire_scan(Http2Wire *wire, Span bytes, uint32_t *glitches, uint32_t *ret_error) {
    size_t at = 0;
    *ret_error = NGHTTP2_NO_ERROR;
    while (at < bytes.len) {
        size_t left = bytes.len - at;
        if (wire->payload) {
            size_t skip = left < wire->payload ? left : wire->payload;
            wire->payload -= (uint32_t)skip;
            at += skip;
            continue;
        }
        size_t part = (size_t)(HTTP2_HEAD - wire->have);
        if (part > left)
            part = left;
        memcpy(wire->head + wire->have, bytes.ptr + at, part);
        wire->have = (uint8_t)(wire->have + part);
        if (wire->have < HTTP2_HEAD)
            return bytes.len;
        wire->have = 0;
        *ret_error = check(wire, glitches);
        if (*ret_error != NGHTTP2_NO_ERROR)
            return at;
        at += part;
    }
    return bytes.len;
}
