#include "rpc/access.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <unistd.h>

#include "base/text.h"

#define MAC_SIZE    32
#define SUBJECT_MAX 96
#define COOKIE      "muster_token"

static const struct {
    SchemaScope scope;
    int rank;
    Span name;
} SCOPES[] = {
    {SCHEMA_SCOPE_PUBLIC, 0, {"public", 6}},
    {SCHEMA_SCOPE_READ, 1, {"read", 4}},
    {SCHEMA_SCOPE_REPORT, 2, {"report", 6}},
    {SCHEMA_SCOPE_CONTROL, 3, {"control", 7}},
};
#define SCOPE_COUNT (sizeof SCOPES / sizeof *SCOPES)

static size_t scope_index(SchemaScope scope) {
    size_t i = 0;
    while (i + 1 < SCOPE_COUNT && SCOPES[i].scope != scope)
        i++;
    return i;
}

/* ---- tokens ---- */

static void sign(const AccessPolicy *policy, Span text, uint8_t mac[MAC_SIZE]) {
    unsigned size = MAC_SIZE;
    HMAC(EVP_sha256(), policy->key, sizeof policy->key, (const uint8_t *)text.ptr, text.len, mac,
         &size);
}

size_t token_make(const AccessPolicy *policy, SchemaScope scope, Span subject, char *out) {
    if (subject.len > SUBJECT_MAX)
        return 0;
    Span name = SCOPES[scope_index(scope)].name;
    memcpy(out, name.ptr, name.len);
    size_t len = name.len;
    out[len++] = '.';
    len += base64_encode(out + len, subject, true, false);
    uint8_t mac[MAC_SIZE];
    sign(policy, span(out, len), mac);
    out[len++] = '.';
    return len + base64_encode(out + len, span(mac, MAC_SIZE), true, false);
}

bool token_check(const AccessPolicy *policy, Span token, SchemaScope *ret_scope) {
    if (!token.len || token.len > TOKEN_MAX)
        return false;
    const char *dot = memrchr(token.ptr, '.', token.len);
    if (!dot)
        return false;
    Span body = span(token.ptr, (size_t)(dot - token.ptr));
    Span text = span_skip(token, body.len + 1);
    uint8_t mac[MAC_SIZE], given[BASE64_DECODED_MAX(TOKEN_MAX)];
    size_t size;
    if (!base64_decode((char *)given, text, &size) || size != MAC_SIZE)
        return false;
    sign(policy, body, mac);
    if (CRYPTO_memcmp(mac, given, MAC_SIZE))
        return false;
    for (size_t i = 1; i < SCOPE_COUNT; i++) {
        Span name = SCOPES[i].name;
        if (!span_starts(body, name) || body.ptr[name.len] != '.')
            continue;
        *ret_scope = SCOPES[i].scope;
        return true;
    }
    return false;
}

/* ---- calls ---- */

/* Methods whose protos are not ours say nothing about scopes. */
static SchemaScope needed_scope(const SchemaMethod *method) {
    Span path = span_of(method->path);
    if (span_starts(path, SPAN("/grpc.health.")))
        return SCHEMA_SCOPE_PUBLIC;
    if (span_starts(path, SPAN("/grpc.reflection.")))
        return SCHEMA_SCOPE_READ;
    return (SchemaScope)method->scope;
}

/* The token of the authorization header, else of the page's cookie. */
static Span given_token(Call *call) {
    Span header = call_metadata(call, SPAN("authorization"));
    if (span_starts(header, SPAN("Bearer ")))
        return span_skip(header, 7);
    Span cookies = call_metadata(call, SPAN("cookie"));
    while (cookies.len) {
        const char *end = memchr(cookies.ptr, ';', cookies.len);
        Span one = end ? span(cookies.ptr, (size_t)(end - cookies.ptr)) : cookies;
        cookies = span_skip(cookies, one.len + 1);
        while (one.len && one.ptr[0] == ' ')
            one = span_skip(one, 1);
        if (span_starts(one, SPAN(COOKIE "=")))
            return span_skip(one, sizeof COOKIE);
    }
    return (Span){0};
}

static bool is_trusted_peer(const HttpPeer *peer) {
    bool ourselves = peer->uid >= 0 && (peer->uid == (int64_t)getuid() || peer->uid == 0);
    return ourselves || peer->certificate.len;
}

Status access_authorize(void *owner, Call *call) {
    const AccessPolicy *policy = owner;
    const HttpPeer *peer = call_peer(call);
    size_t needed = scope_index(needed_scope(call_method(call)));
    size_t local = policy->required || !peer->loopback ? 0 : scope_index(SCHEMA_SCOPE_REPORT);
    if (SCOPES[needed].rank <= SCOPES[local].rank || is_trusted_peer(peer))
        return status_ok();
    const char *path = call_method(call)->path, *scope = SCOPES[needed].name.ptr;
    Span token = given_token(call);
    SchemaScope given;
    if (!token.len)
        return status_make(call_arena(call), STATUS_UNAUTHENTICATED,
                           "%s needs a token with scope %s: send 'authorization: Bearer TOKEN' "
                           "(services find theirs in MUSTER_TOKEN, people in .muster/token)",
                           path, scope);
    if (!token_check(policy, token, &given))
        return status_make(call_arena(call), STATUS_UNAUTHENTICATED,
                           "the token is not one of this runtime");
    if (SCOPES[scope_index(given)].rank < SCOPES[needed].rank)
        return status_make(call_arena(call), STATUS_PERMISSION_DENIED,
                           "%s needs scope %s, the token has %s", path, scope,
                           SCOPES[scope_index(given)].name.ptr);
    return status_ok();
}
