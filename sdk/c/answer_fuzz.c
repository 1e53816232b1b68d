/* Any bytes as what a runtime answers, to a unary call, or to a stream, by the first byte. */
#include <assert.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A connection that has received all of it, and is at its end. */
static void connect_to(Http *http, const uint8_t *data, size_t size) {
    int pair[2];
    int r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
    assert(r == 0);
    r = shutdown(pair[1], SHUT_WR);
    assert(r == 0);
    http->fd = pair[0];
    mu_bytes_add(&http->in, data, size);
    char drain[4096];
    while (read(pair[1], drain, sizeof drain) > 0)
        ;
    close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    Target target;
    assert(mu_target_parse(&target, "127.0.0.1:1"));
    Http http;
    Bytes in = {0}, answer = {0};
    mu_http_init(&http, &target, -1);
    connect_to(&http, data + 1, size - 1);
    if (mu_http_answer(&http, mu_now_ms() + 1000) == 0) {
        MusterInstance instance;
        int r = 0;
        while ((r = data[0] & 1 ? mu_rpc_next(&http, &in, &answer)
                                : mu_http_body(&http, &answer, mu_now_ms() + 1000)) > 0)
            ;
        mu_instance_read(mu_reader_of(answer.ptr, answer.len), &instance);
    }
    mu_http_close(&http);
    mu_target_done(&target);
    mu_bytes_done(&in);
    mu_bytes_done(&answer);
    return 0;
}
