#include "rpc/compress.h"

#include <errno.h>

#include "base/test.h"

/* Bytes that compress somewhat, the same at each run. */
static void fill(Buf *out, size_t size) {
    uint32_t state = 12345;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        buf_add_char(out, (char)('a' + (state >> 28)));
    }
}

static void round_trips(void **state) {
    (void)state;
    const size_t sizes[] = {0, 1, 100, 65536, 65537, 1000000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        Buf plain = {0};
        fill(&plain, sizes[s]);
        for (int c = 0; c < RPC_COMPRESSIONS; c++) {
            Buf packed = {0}, back = {0};
            buf_add_literal(&back, "before");
            compress_bytes((RpcCompression)c, buf_span(&plain), &packed);
            assert_int_equal(
                decompress_bytes((RpcCompression)c, buf_span(&packed), plain.len, &back), 0);
            assert_true(span_equal(span_skip(buf_span(&back), 6), buf_span(&plain)));
            buf_done(&packed);
            buf_done(&back);
        }
        buf_done(&plain);
    }
}

static void output_is_bounded(void **state) {
    (void)state;
    Buf zeroes = {0};
    memset(buf_reserve(&zeroes, 50000000), 0, 50000000);
    zeroes.len = 50000000;
    for (int c = 0; c < RPC_COMPRESSIONS; c++) {
        Buf packed = {0}, back = {0};
        compress_bytes((RpcCompression)c, buf_span(&zeroes), &packed);
        assert_int_equal(decompress_bytes((RpcCompression)c, buf_span(&packed), 1000000, &back),
                         -EMSGSIZE);
        assert_int_equal(back.len, 0);
        assert_true(back.cap < 4000000);
        assert_int_equal(decompress_bytes((RpcCompression)c, buf_span(&packed), 49999999, &back),
                         -EMSGSIZE);
        assert_int_equal(decompress_bytes((RpcCompression)c, buf_span(&packed), 50000000, &back),
                         0);
        buf_done(&packed);
        buf_done(&back);
    }
    buf_done(&zeroes);
}

static void damage_is_noticed(void **state) {
    (void)state;
    Buf plain = {0};
    fill(&plain, 5000);
    for (int c = RPC_GZIP; c < RPC_COMPRESSIONS; c++) {
        Buf packed = {0}, back = {0};
        compress_bytes((RpcCompression)c, buf_span(&plain), &packed);
        /* Cut anywhere: malformed, except where snappy's frames end between two chunks. */
        for (size_t cut = 0; cut < packed.len; cut++) {
            buf_clear(&back);
            int result = decompress_bytes((RpcCompression)c, span(packed.ptr, cut), 10000, &back);
            if (c == RPC_SNAPPY && result == 0)
                assert_true(back.len < plain.len);
            else
                assert_int_equal(result, -EBADMSG);
        }
        /* Followed by something else. */
        buf_add_literal(&packed, "zzzz");
        buf_clear(&back);
        assert_int_equal(decompress_bytes((RpcCompression)c, buf_span(&packed), 10000, &back),
                         -EBADMSG);
        assert_int_equal(decompress_bytes((RpcCompression)c, SPAN("not compressed"), 10000, &back),
                         -EBADMSG);
        buf_done(&packed);
        buf_done(&back);
    }
    buf_done(&plain);
}

static void names(void **state) {
    (void)state;
    for (int c = 0; c < RPC_COMPRESSIONS; c++)
        assert_int_equal(compression_from_name(compression_name((RpcCompression)c)), c);
    assert_int_equal(compression_from_name(SPAN("")), RPC_IDENTITY);
    assert_int_equal(compression_from_name(SPAN("lzma")), -1);
    char out[64];
    assert_span(span(out, compression_names(1u << RPC_GZIP | 1u << RPC_ZSTD, out, sizeof out)),
                "gzip, zstd");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(output_is_bounded),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
