#include "rpc/access.h"

#include <assert.h>

/* OpenSSL's own HMAC and EVP look up an implementation for each use, in providers that take two
 * megabytes of memory and a millisecond to load. The functions below need neither. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <unistd.h>

#include "base/text.h"

#define MAC_SIZE    32
#define SUBJECT_MAX 96
#define SESSION_MS  (INT64_C(30) * 24 * 3600 * 1000)

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

/* Hashes the key, combined with a pad, and the text. */
static void hash(const AccessPolicy *policy, uint8_t pad, const void *text, size_t len,
                 uint8_t out[MAC_SIZE]) {
    SHA256_CTX state;
    uint8_t block[SHA256_CBLOCK];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (i < sizeof policy->key ? policy->key[i] : 0) ^ pad;
    SHA256_Init(&state);
    SHA256_Update(&state, block, sizeof block);
    SHA256_Update(&state, text, len);
    SHA256_Final(out, &state);
}

/* HMAC-SHA256 (RFC 2104). */
static void sign(const AccessPolicy *policy, Span text, uint8_t mac[MAC_SIZE]) {
    static_assert(sizeof policy->key <= SHA256_CBLOCK, "a longer key would be hashed first");
    uint8_t inner[MAC_SIZE];
    hash(policy, 0x36, text.ptr, text.len, inner);
    hash(policy, 0x5c, inner, sizeof inner, mac);
}

/* Writes what is signed. */
static size_t write_body(SchemaScope scope, Span subject, char *out) {
    Span name = SCOPES[scope_index(scope)].name;
    memcpy(out, name.ptr, name.len);
    size_t len = name.len;
    out[len++] = '.';
    return len + base64_encode(out + len, subject, true, false);
}

static size_t add_mac(const AccessPolicy *policy, char *out, size_t len) {
    uint8_t mac[MAC_SIZE];
    sign(policy, span(out, len), mac);
    out[len++] = '.';
    return len + base64_encode(out + len, span(mac, MAC_SIZE), true, false);
}

size_t token_make(const AccessPolicy *policy, SchemaScope scope, Span subject, char *out) {
    if (subject.len > SUBJECT_MAX)
        return 0;
    return add_mac(policy, out, write_body(scope, subject, out));
}

size_t token_make_limited(AccessPolicy *policy, SchemaScope scope, Span subject, TokenLimits limits,
                          char *out) {
    if (subject.len > SUBJECT_MAX)
        return 0;
    size_t len = write_body(scope, subject, out);
    out[len++] = '.';
    len += format_i64(out + len, limits.expires_ms);
    out[len++] = '.';
    len += format_u64(out + len, limits.once);
    if (limits.once)
        policy->once[policy->next_once++ % TOKEN_ONCE_MAX] = limits.once;
    return add_mac(policy, out, len);
}

/* What follows the subject in a body; none is no limits. */
static bool read_limits(Span body, TokenLimits *ret) {
    const char *once = memrchr(body.ptr, '.', body.len);
    Span before = span(body.ptr, (size_t)(once - body.ptr));
    const char *expires = memrchr(before.ptr, '.', before.len);
    *ret = (TokenLimits){0};
    if (!expires) /* the only '.' is the one before the subject */
        return true;
    Span scope = span(before.ptr, (size_t)(expires - before.ptr));
    return memchr(scope.ptr, '.', scope.len) &&
           parse_i64(span(expires + 1, (size_t)(once - expires - 1)), &ret->expires_ms) &&
           parse_u64(span(once + 1, (size_t)(body.ptr + body.len - once - 1)), &ret->once);
}

bool token_check(const AccessPolicy *policy, Span token, SchemaScope *ret_scope,
                 TokenLimits *ret_limits) {
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
        return read_limits(body, ret_limits);
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

#define COOKIE "muster_token"

/* Cookies do not know ports: each runtime of a machine has a name of its own for its. */
static void add_cookie_name(const AccessPolicy *policy, Buf *out) {
    uint8_t mac[MAC_SIZE];
    sign(policy, SPAN("cookie"), mac);
    buf_printf(out, COOKIE "_%02x%02x%02x%02x", mac[0], mac[1], mac[2], mac[3]);
}

/* The token in a cookie of ours, or of another runtime on this machine. */
static Span token_of_cookie(Span cookie) {
    while (cookie.len && cookie.ptr[0] == ' ')
        cookie = span_skip(cookie, 1);
    const char *equals = cookie.len ? memchr(cookie.ptr, '=', cookie.len) : NULL;
    Span name = equals ? span(cookie.ptr, (size_t)(equals - cookie.ptr)) : (Span){0};
    if (!span_equal(name, SPAN(COOKIE)) && !span_starts(name, SPAN(COOKIE "_")))
        return (Span){0};
    return span_skip(cookie, name.len + 1);
}

/* The token of the authorization header, else of the page's cookie. */
static Span given_token(const AccessPolicy *policy, Call *call) {
    Span header = call_metadata(call, SPAN("authorization"));
    if (span_starts(header, SPAN("Bearer ")))
        return span_skip(header, 7);
    Span cookies = call_metadata(call, SPAN("cookie"));
    while (cookies.len) {
        const char *end = memchr(cookies.ptr, ';', cookies.len);
        Span one = end ? span(cookies.ptr, (size_t)(end - cookies.ptr)) : cookies;
        cookies = span_skip(cookies, one.len + 1);
        Span token = token_of_cookie(one);
        SchemaScope scope;
        TokenLimits limits;
        if (token_check(policy, token, &scope, &limits))
            return token;
    }
    return (Span){0};
}

static bool is_trusted_peer(const HttpPeer *peer) {
    bool ourselves = peer->uid >= 0 && (peer->uid == (int64_t)getuid() || peer->uid == 0);
    return ourselves || peer->certificate.len;
}

/* Whether the token may be used now; one that is good once is used up by that. */
static bool within_limits(AccessPolicy *policy, TokenLimits limits, const Call *call) {
    if (limits.expires_ms && world_wall(call_world(call)) / NANOS_PER_MILLI >= limits.expires_ms)
        return false;
    if (!limits.once)
        return true;
    for (size_t i = 0; i < TOKEN_ONCE_MAX; i++) {
        if (policy->once[i] == limits.once) {
            policy->once[i] = 0;
            return true;
        }
    }
    return false;
}

/* What a caller may do without a token. */
static SchemaScope scope_without_token(const AccessPolicy *policy, const HttpPeer *peer) {
    if (is_trusted_peer(peer))
        return SCHEMA_SCOPE_CONTROL;
    return policy->required || !peer->loopback ? SCHEMA_SCOPE_PUBLIC : SCHEMA_SCOPE_REPORT;
}

static bool allows(SchemaScope given, SchemaScope needed) {
    return SCOPES[scope_index(given)].rank >= SCOPES[scope_index(needed)].rank;
}

Status access_authorize(void *owner, Call *call) {
    AccessPolicy *policy = owner;
    SchemaScope needed = needed_scope(call_method(call));
    if (allows(scope_without_token(policy, call_peer(call)), needed))
        return status_ok();
    const char *path = call_method(call)->path, *scope = SCOPES[scope_index(needed)].name.ptr;
    Span token = given_token(policy, call);
    SchemaScope given;
    TokenLimits limits;
    if (!token.len)
        return status_make(call_arena(call), STATUS_UNAUTHENTICATED,
                           "%s needs a token with scope %s: send 'authorization: Bearer TOKEN' "
                           "(services find theirs in MUSTER_TOKEN, people in .muster/token)",
                           path, scope);
    if (!token_check(policy, token, &given, &limits))
        return status_make(call_arena(call), STATUS_UNAUTHENTICATED,
                           "the token is not one of this runtime");
    if (!allows(given, needed))
        return status_make(call_arena(call), STATUS_PERMISSION_DENIED,
                           "%s needs scope %s, the token has %s", path, scope,
                           SCOPES[scope_index(given)].name.ptr);
    if (!within_limits(policy, limits, call))
        return status_make(call_arena(call), STATUS_UNAUTHENTICATED,
                           "the token is used up or its time is over: ask for a new one");
    return status_ok();
}

SchemaScope access_scope(AccessPolicy *policy, Call *call) {
    SchemaScope local = scope_without_token(policy, call_peer(call)), given;
    TokenLimits limits;
    if (!token_check(policy, given_token(policy, call), &given, &limits) || limits.once ||
        !within_limits(policy, limits, call))
        return local;
    return allows(given, local) ? given : local;
}

bool access_log_in(AccessPolicy *policy, Call *call, Span token, SchemaScope *ret_scope) {
    SchemaScope scope;
    TokenLimits limits;
    if (!token_check(policy, token, &scope, &limits) || !within_limits(policy, limits, call))
        return false;
    int64_t now = world_wall(call_world(call)) / NANOS_PER_MILLI;
    int64_t ends = now + SESSION_MS;
    if (limits.expires_ms && limits.expires_ms < ends)
        ends = limits.expires_ms;
    char session[TOKEN_MAX];
    size_t len = token_make_limited(policy, scope, SPAN("page"), (TokenLimits){ends, 0}, session);
    Buf cookie = {.arena = call_arena(call)};
    add_cookie_name(policy, &cookie);
    buf_printf(&cookie, "=%.*s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s", (int)len,
               session, (long long)((ends - now) / 1000), call_peer(call)->tls ? "; Secure" : "");
    call_add_header(call, SPAN("set-cookie"), buf_span(&cookie));
    *ret_scope = scope;
    return true;
}
