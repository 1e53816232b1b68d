#include "base/test.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "rpc/internal.h"
#include "schema/codec.h"

static const StatusDetail BAD_REQUEST = {SPAN("google.rpc.BadRequest"), SPAN("\n\3\n\1a")};
static const StatusDetail UNKNOWN = {SPAN("no.Type"), SPAN("\xff\xfe")};

static void test_texts(void **state) {
    Buf out = {0};
    json_write_text(&out, SPAN("a\"\\\n\1\xc3\xa4\xe2\x82\xac"));
    assert_span(buf_span(&out), "\"a\\\"\\\\\\n\\u0001\xc3\xa4\xe2\x82\xac\"");
    buf_clear(&out);
    json_write_text(&out, SPAN("\xff"
                               "a\xc3\xe2\x82z\xf0\x9f"));
    assert_span(buf_span(&out), "\"?a???z??\"");
    buf_clear(&out);
    json_write_text(&out, (Span){0});
    assert_span(buf_span(&out), "\"\"");
    buf_done(&out);
}

static void test_connect(void **state) {
    Buf out = {0};
    status_write_connect(&out, &(Status){.code = STATUS_CANCELLED});
    assert_span(buf_span(&out), "{\"code\":\"canceled\"}");
    buf_clear(&out);
    const StatusDetail details[] = {BAD_REQUEST, UNKNOWN};
    status_write_connect(
        &out, &(Status){STATUS_NOT_FOUND, SPAN("\"no\""), .details = details, .detail_count = 2});
    assert_span(buf_span(&out), "{\"code\":\"not_found\",\"message\":\"\\\"no\\\"\",\"details\":["
                                "{\"type\":\"google.rpc.BadRequest\",\"value\":\"CgMKAWE\"},"
                                "{\"type\":\"no.Type\",\"value\":\"//4\"}]}");
    buf_done(&out);
}

static void test_rest(void **state) {
    SchemaPool *types = schema_pool_new();
    schema_pool_add(types, &google_rpc_error_details_proto);
    Buf out = {0};
    Status status = {STATUS_NOT_FOUND, SPAN("no"), &BAD_REQUEST, 1};
    status_write_rest(&out, &status, types);
    assert_span(buf_span(&out),
                "{\"code\":5,\"message\":\"no\",\"details\":["
                "{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\","
                "\"field_violations\":[{\"field\":\"a\",\"description\":\"\",\"reason\":\"\"}]}]}");
    buf_clear(&out);
    status.details = &UNKNOWN; /* cannot be written: left out, the rest stays */
    status.message = SPAN("n\xff");
    status_write_rest(&out, &status, types);
    assert_span(buf_span(&out), "{\"code\":5,\"message\":\"n?\",\"details\":[]}");
    buf_done(&out);
    schema_pool_free(types);
}

static void test_binary(void **state) {
    Arena arena = {0};
    Status status = {STATUS_ABORTED, SPAN("why"), &BAD_REQUEST, 1};
    void *decoded;
    SchemaError error;
    assert_int_equal(schema_decode(&RpcStatus_type, status_encode(&arena, &status), NULL, &arena,
                                   &decoded, &error),
                     0);
    const RpcStatus *got = decoded;
    assert_int_equal(got->code, STATUS_ABORTED);
    assert_span(got->message, "why");
    assert_int_equal(got->details.count, 1);
    assert_span(got->details.items[0].type_url, "type.googleapis.com/google.rpc.BadRequest");
    assert_true(span_equal(got->details.items[0].value, BAD_REQUEST.value));
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_binary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
