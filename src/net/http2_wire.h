/* What nghttp2 lets pass, found by looking at the frames' heads before it gets them: frames on
 * streams that the client has closed or passed over (nghttp2 would have to keep all closed streams
 * in memory to know), and frames that do nothing. Pure; private to src/net. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "base/span.h"

/* Stream ids that a client has passed over: they are closed without ever having been open. */
typedef struct Http2Skipped {
    uint32_t from, to;
} Http2Skipped;

#define HTTP2_SKIPPED 8
#define HTTP2_ENDED   16
#define HTTP2_HEAD    9

/* Zeroes but for `payload`, which begins as the length of the client's preface. */
typedef struct Http2Wire {
    uint32_t payload; /* bytes left of the present frame */
    uint8_t head[HTTP2_HEAD];
    uint8_t have; /* bytes of the next head that have come */
    uint32_t last;
    uint32_t skips, ends;
    Http2Skipped skipped[HTTP2_SKIPPED];
    uint32_t ended[HTTP2_ENDED]; /* the streams that the client ended or reset, the latest ones */
} Http2Wire;

/* Looks at the client's next bytes. Returns how many of them may go to nghttp2; if that is fewer
 * than all, `ret_error` is the code for the connection. `glitches` is raised by the number of
 * frames that do nothing. */
size_t http2_wire_scan(Http2Wire *wire, Span bytes, uint32_t *glitches, uint32_t *ret_error);
