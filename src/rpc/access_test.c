#include "rpc/access.h"

#include <openssl/hmac.h>
#include <unistd.h>

#include "base/test.h"
#include "base/text.h"
#include "net/http_internal.h"
#include "os/simulation.h"
#include "rpc/internal.h"

static const AccessPolicy POLICY = {.key = "0123456789abcdef0123456789abcde"};
static const AccessPolicy OTHER = {.key = "0123456789abcdef0123456789abcdX"};

/* ---- tokens ---- */

static void test_token_says_its_scope(void **state) {
    static const SchemaScope SCOPES[] = {SCHEMA_SCOPE_READ, SCHEMA_SCOPE_REPORT,
                                         SCHEMA_SCOPE_CONTROL};
    for (size_t i = 0; i < 3; i++) {
        char text[TOKEN_MAX];
        SchemaScope scope;
        TokenLimits limits;
        size_t len = token_make(&POLICY, SCOPES[i], SPAN("instance-1"), text);
        assert_true(len > 0 && len <= TOKEN_MAX);
        assert_true(token_check(&POLICY, span(text, len), &scope, &limits));
        assert_int_equal(scope, SCOPES[i]);
        assert_false(token_check(&OTHER, span(text, len), &scope, &limits));
    }
}

static void test_the_last_part_is_an_hmac(void **state) {
    char text[TOKEN_MAX], mac[TOKEN_MAX];
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size;
    size_t len = token_make(&POLICY, SCHEMA_SCOPE_READ, SPAN("instance-1"), text), dot = len;
    while (text[--dot] != '.')
        continue;
    HMAC(EVP_sha256(), POLICY.key, sizeof POLICY.key, (const uint8_t *)text, dot, digest, &size);
    size_t mac_len = base64_encode(mac, span(digest, size), true, false);
    assert_true(span_equal(span(text + dot + 1, len - dot - 1), span(mac, mac_len)));
}

static void test_subjects(void **state) {
    char subject[97], text[TOKEN_MAX];
    SchemaScope scope;
    TokenLimits limits;
    memset(subject, 0xff, sizeof subject);
    size_t len = token_make(&POLICY, SCHEMA_SCOPE_REPORT, span(subject, 96), text);
    assert_true(len > 0 && len <= TOKEN_MAX);
    assert_true(token_check(&POLICY, span(text, len), &scope, &limits));
    assert_int_equal(token_make(&POLICY, SCHEMA_SCOPE_REPORT, span(subject, 97), text), 0);
    assert_true(token_make(&POLICY, SCHEMA_SCOPE_REPORT, (Span){0}, text) > 0);
}

/* Every other byte in every place, and every length but its own. */
static void test_forgeries(void **state) {
    char text[TOKEN_MAX], forged[TOKEN_MAX];
    SchemaScope scope;
    TokenLimits limits;
    size_t len = token_make(&POLICY, SCHEMA_SCOPE_READ, SPAN("a"), text);
    for (size_t cut = 0; cut < len; cut++)
        assert_false(token_check(&POLICY, span(text, cut), &scope, &limits));
    /* The last character of 32 bytes in base64 has two bits that mean nothing, and both of its
     * alphabets are read. */
    for (size_t at = 0; at + 1 < len; at++) {
        for (int byte = 0; byte < 256; byte++) {
            memcpy(forged, text, len);
            forged[at] = (char)byte;
            bool same = byte == text[at] || (byte == '+' && text[at] == '-') ||
                        (byte == '/' && text[at] == '_');
            if (!same && token_check(&POLICY, span(forged, len), &scope, &limits))
                fail_msg("byte %zu may be 0x%02x", at, byte);
        }
    }
    Span raised = SPAN("control.");
    memcpy(forged, raised.ptr, raised.len);
    memcpy(forged + raised.len, text + 5, len - 5);
    assert_false(token_check(&POLICY, span(forged, raised.len + len - 5), &scope, &limits));
    assert_false(token_check(&POLICY, (Span){0}, &scope, &limits));
    assert_false(token_check(&POLICY, SPAN("..."), &scope, &limits));
    char large[TOKEN_MAX + 1];
    memset(large, '.', sizeof large);
    assert_false(token_check(&POLICY, span(large, sizeof large), &scope, &limits));
}

/* ---- calls ---- */

typedef struct Asking {
    HttpPeer peer;
    bool required;
    SchemaScope needed;
    const char *path;
    const char *header, *value;
    AccessPolicy *policy; /* NULL: POLICY */
    World *world;
} Asking;

static StatusCode ask(const Asking *asking) {
    AccessPolicy policy = POLICY;
    policy.required = asking->required;
    RpcServer server = {.world = asking->world};
    HttpConnection connection = {.peer = asking->peer};
    HttpExchange exchange = {.connection = &connection};
    SchemaMethod method = {.path = asking->path ? asking->path : "/test.Service/Method",
                           .scope = (uint8_t)asking->needed};
    MethodEntry entry = {.schema = &method};
    HttpHeader header = {span_of(asking->header), span_of(asking->value)};
    Call call = {.server = &server,
                 .exchange = &exchange,
                 .method = &entry,
                 .metadata = {&header, asking->header != NULL},
                 .has_metadata = true};
    Status status = access_authorize(asking->policy ? asking->policy : &policy, &call);
    assert_true(status.code == STATUS_OK || status.message.len > 0);
    arena_done(&exchange.arena);
    return status.code;
}

static const char *bearer(const AccessPolicy *policy, SchemaScope scope) {
    static char text[16 + TOKEN_MAX];
    size_t len = (size_t)sprintf(text, "Bearer ");
    text[len + token_make(policy, scope, SPAN("test"), text + len)] = 0;
    return text;
}

#define LOCAL                                                                                      \
    { .uid = -1, .loopback = true }
#define REMOTE                                                                                     \
    { .uid = -1 }

static void test_without_token(void **state) {
    static const struct {
        HttpPeer peer;
        bool required;
        int highest; /* rank of what may be called: public 0, read, report, control */
    } CASES[] = {
        {LOCAL, false, 2},
        {LOCAL, true, 0},
        {REMOTE, false, 0},
        {REMOTE, true, 0},
    };
    static const SchemaScope RANKS[] = {SCHEMA_SCOPE_PUBLIC, SCHEMA_SCOPE_READ, SCHEMA_SCOPE_REPORT,
                                        SCHEMA_SCOPE_CONTROL};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        for (int rank = 0; rank < 4; rank++)
            assert_int_equal(ask(&(Asking){.peer = CASES[i].peer,
                                           .required = CASES[i].required,
                                           .needed = RANKS[rank]}),
                             rank <= CASES[i].highest ? STATUS_OK : STATUS_UNAUTHENTICATED);
}

static void test_with_token(void **state) {
    Asking asking = {.peer = REMOTE, .required = true, .header = "authorization"};
    asking.needed = SCHEMA_SCOPE_REPORT;
    asking.value = bearer(&POLICY, SCHEMA_SCOPE_REPORT);
    assert_int_equal(ask(&asking), STATUS_OK);
    asking.needed = SCHEMA_SCOPE_CONTROL;
    assert_int_equal(ask(&asking), STATUS_PERMISSION_DENIED);
    asking.value = bearer(&POLICY, SCHEMA_SCOPE_CONTROL);
    assert_int_equal(ask(&asking), STATUS_OK);
    asking.needed = SCHEMA_SCOPE_READ;
    assert_int_equal(ask(&asking), STATUS_OK);
    asking.value = bearer(&OTHER, SCHEMA_SCOPE_CONTROL);
    assert_int_equal(ask(&asking), STATUS_UNAUTHENTICATED);
    asking.value = "Bearer ";
    assert_int_equal(ask(&asking), STATUS_UNAUTHENTICATED);
    asking.value = bearer(&POLICY, SCHEMA_SCOPE_CONTROL) + 7;
    assert_int_equal(ask(&asking), STATUS_UNAUTHENTICATED);
}

static void test_limited_tokens(void **state) {
    Simulation *simulation = simulation_new(&(SimulationOptions){.seed = 1});
    World *world = simulation_world(simulation);
    AccessPolicy policy = POLICY;
    policy.required = true;
    char text[16 + TOKEN_MAX] = "Bearer ";
    Asking asking = {.peer = REMOTE,
                     .header = "authorization",
                     .value = text,
                     .needed = SCHEMA_SCOPE_READ,
                     .policy = &policy,
                     .world = world};
    int64_t now = world_wall(world) / NANOS_PER_MILLI;
    TokenLimits soon = {.expires_ms = now + 1}, over = {.expires_ms = now};
    text[7 + token_make_limited(&policy, SCHEMA_SCOPE_READ, SPAN("a"), soon, text + 7)] = 0;
    assert_int_equal(ask(&asking), STATUS_OK);
    assert_int_equal(ask(&asking), STATUS_OK);
    text[7 + token_make_limited(&policy, SCHEMA_SCOPE_READ, SPAN("a"), over, text + 7)] = 0;
    assert_int_equal(ask(&asking), STATUS_UNAUTHENTICATED);

    TokenLimits once = {.once = UINT64_MAX};
    text[7 + token_make_limited(&policy, SCHEMA_SCOPE_READ, SPAN(""), once, text + 7)] = 0;
    asking.needed = SCHEMA_SCOPE_CONTROL; /* refused, and so not used up */
    assert_int_equal(ask(&asking), STATUS_PERMISSION_DENIED);
    asking.needed = SCHEMA_SCOPE_READ;
    assert_int_equal(ask(&asking), STATUS_OK);
    assert_int_equal(ask(&asking), STATUS_UNAUTHENTICATED);

    /* One that another life of the runtime has made. */
    text[7 + token_make_limited(&policy, SCHEMA_SCOPE_READ, SPAN(""), once, text + 7)] = 0;
    policy = POLICY;
    assert_int_equal(ask(&asking), STATUS_UNAUTHENTICATED);
    simulation_free(simulation);
}

static void test_cookie(void **state) {
    char text[TOKEN_MAX + 64];
    const char *token = bearer(&POLICY, SCHEMA_SCOPE_CONTROL) + 7;
    Asking asking = {.peer = REMOTE, .required = true, .header = "cookie", .value = text};
    static const struct {
        const char *format;
        StatusCode code;
    } CASES[] = {
        {"muster_token=%s", STATUS_OK},
        {"muster_token_0a1b2c3d=another; muster_token_01020304=%s", STATUS_OK},
        {"muster_tokens=%s", STATUS_UNAUTHENTICATED},
        {"a=b; muster_token=%s", STATUS_OK},
        {"a=b;muster_token=%s; c=d", STATUS_OK},
        {"muster_token =%s", STATUS_UNAUTHENTICATED},
        {"xmuster_token=%s", STATUS_UNAUTHENTICATED},
        {"a=muster_token=%s", STATUS_UNAUTHENTICATED},
        {"muster_token=;x=%s", STATUS_UNAUTHENTICATED},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        snprintf(text, sizeof text, CASES[i].format, token);
        if (ask(&asking) != CASES[i].code)
            fail_msg("cookie: %s", CASES[i].format);
    }
}

static void test_trusted_peers(void **state) {
    Asking asking = {.required = true, .needed = SCHEMA_SCOPE_CONTROL};
    asking.peer = (HttpPeer){.uid = (int64_t)getuid(), .loopback = true};
    assert_int_equal(ask(&asking), STATUS_OK);
    asking.peer.uid = 0;
    assert_int_equal(ask(&asking), STATUS_OK);
    asking.peer.uid = (int64_t)getuid() + 1;
    assert_int_equal(ask(&asking), STATUS_UNAUTHENTICATED);
    asking.peer = (HttpPeer){.uid = -1, .certificate = SPAN("CN=client")};
    assert_int_equal(ask(&asking), STATUS_OK);
    asking.peer = (HttpPeer){.uid = -1, .tls = true};
    assert_int_equal(ask(&asking), STATUS_UNAUTHENTICATED);
}

/* Protos that are not ours cannot say what their methods need. */
static void test_standard_services(void **state) {
    Asking asking = {.peer = REMOTE, .required = true, .path = "/grpc.health.v1.Health/Check"};
    assert_int_equal(ask(&asking), STATUS_OK);
    asking.path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    assert_int_equal(ask(&asking), STATUS_UNAUTHENTICATED);
    asking.required = false;
    asking.peer.loopback = true;
    assert_int_equal(ask(&asking), STATUS_OK);
    asking.path = "/grpc.healthy.Other/Call";
    assert_int_equal(ask(&asking), STATUS_UNAUTHENTICATED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_says_its_scope),
        cmocka_unit_test(test_the_last_part_is_an_hmac),
        cmocka_unit_test(test_subjects),
        cmocka_unit_test(test_forgeries),
        cmocka_unit_test(test_without_token),
        cmocka_unit_test(test_with_token),
        cmocka_unit_test(test_limited_tokens),
        cmocka_unit_test(test_cookie),
        cmocka_unit_test(test_trusted_peers),
        cmocka_unit_test(test_standard_services),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
