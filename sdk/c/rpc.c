#include "rpc.h"

#include <errno.h>
#include <string.h>

#define MESSAGE_MAX (16 * 1024 * 1024)
#define HEAD        5 /* of an envelope: flags, and the length */
#define FLAG_PACKED 1
#define FLAG_END    2
#define FOREVER     (INT64_MAX / 2)

/* What Connect's error says, by its code. */
static int refusal(const Bytes *json) {
    bool unknown = json->len && memmem(json->ptr, json->len, "\"not_found\"", 11);
    return unknown ? -ENOENT : -EPROTO;
}

static int whole_body(Http *http, Bytes *out, int64_t deadline) {
    int r;
    while ((r = mu_http_body(http, out, deadline)) > 0)
        if (out->len > MESSAGE_MAX) {
            mu_http_close(http);
            return -EPROTO;
        }
    return r;
}

int mu_rpc_unary(Http *http, const char *method, const Bytes *request, Bytes *ret, int timeout_ms) {
    int64_t deadline = mu_now_ms() + timeout_ms;
    ret->len = 0;
    int r = mu_http_post(http, method, "application/proto", request, deadline);
    if (r == 0)
        r = whole_body(http, ret, deadline);
    if (r == 0 && http->status != 200)
        r = refusal(ret);
    return r;
}

void mu_rpc_envelope(Bytes *stream, const Bytes *message) {
    size_t len = message->len;
    char head[HEAD] = {0, (char)(len >> 24), (char)(len >> 16), (char)(len >> 8), (char)len};
    mu_bytes_add(stream, head, sizeof head);
    mu_bytes_add(stream, message->ptr, len);
}

int mu_rpc_begin(Http *http, const char *method, const Bytes *stream, int timeout_ms) {
    int64_t deadline = mu_now_ms() + timeout_ms;
    int r = mu_http_post(http, method, "application/connect+proto", stream, deadline);
    if (r < 0 || http->status == 200)
        return r;
    Bytes error = {0};
    r = whole_body(http, &error, deadline);
    if (r == 0)
        r = refusal(&error);
    mu_bytes_done(&error);
    return r;
}

static int next(Http *http, Bytes *in, Bytes *ret, int64_t deadline) {
    for (;;) {
        const unsigned char *head = (const unsigned char *)in->ptr;
        size_t len = in->len < HEAD ? 0
                                    : (size_t)head[1] << 24 | (size_t)head[2] << 16 |
                                          (size_t)head[3] << 8 | head[4];
        if (len > MESSAGE_MAX || (in->len >= HEAD && (head[0] & FLAG_PACKED))) {
            mu_http_close(http);
            return -EPROTO;
        }
        if (in->len >= HEAD && in->len - HEAD >= len) {
            bool end = head[0] & FLAG_END;
            ret->len = 0;
            mu_bytes_add(ret, in->ptr + HEAD, len);
            mu_bytes_drop(in, HEAD + len);
            if (!end)
                return 1;
            return ret->len && memmem(ret->ptr, ret->len, "\"error\"", 7) ? refusal(ret) : 0;
        }
        int got = mu_http_body(http, in, deadline);
        if (got <= 0)
            return got < 0 ? got : -ECONNRESET;
    }
}

int mu_rpc_next(Http *http, Bytes *in, Bytes *ret) {
    return next(http, in, ret, FOREVER);
}

int mu_rpc_stream(Http *http, const char *method, const Bytes *stream, Bytes *ret, int timeout_ms) {
    int64_t deadline = mu_now_ms() + timeout_ms;
    Bytes in = {0}, rest = {0};
    int r = mu_rpc_begin(http, method, stream, timeout_ms);
    if (r == 0)
        r = next(http, &in, ret, deadline);
    bool answered = r == 1;
    while (r == 1) /* to its end, so that the connection can be used again */
        r = next(http, &in, &rest, deadline);
    if (r == 0)
        r = whole_body(http, &rest, deadline);
    if (r == 0 && !answered)
        r = -EPROTO;
    mu_bytes_done(&in);
    mu_bytes_done(&rest);
    return r;
}
