/* Who may call what: tokens and the scopes that methods ask for.
 *
 * A token says for whom it was made and how much it allows, and carries an HMAC-SHA-256 over
 * both under the runtime's key, so that nothing has to be stored to check it:
 * "SCOPE.SUBJECT.MAC", the last two in URL-safe base64. Scopes include each other: control ⊃
 * report ⊃ read.
 *
 * Without a token, a caller on this machine may read and report; what starts, signals or
 * configures processes needs control even there, since otherwise any local user could run code
 * as ours. A caller on a unix socket who is our own user (or root), and one with a certificate
 * that our CA vouches for, may do everything. As soon as `required` is set, which is when some
 * listener is not loopback, nobody does anything without one of these, public methods aside. */
#pragma once

#include "rpc/server.h"

#define TOKEN_KEY_SIZE 32
#define TOKEN_MAX      256

/* Tokens that can be used once are remembered until they are; of more, the oldest are void. */
#define TOKEN_ONCE_MAX 64

typedef struct AccessPolicy {
    uint8_t key[TOKEN_KEY_SIZE];
    bool required;
    uint64_t once[TOKEN_ONCE_MAX]; /* their numbers; 0 = none */
    size_t next_once;
} AccessPolicy;

/* Writes a token; returns its length, 0 when the subject is too long. `out` has room for
 * TOKEN_MAX. */
size_t token_make(const AccessPolicy *policy, SchemaScope scope, Span subject, char *out);

/* Likewise one that is valid for a time, or once, within the life of this runtime:
 * "SCOPE.SUBJECT.EXPIRES.ONCE.MAC". */
typedef struct TokenLimits {
    int64_t expires_ms; /* Unix milliseconds; 0 = never */
    uint64_t once;      /* not 0: a random number, and the token is good for one call */
} TokenLimits;
size_t token_make_limited(AccessPolicy *policy, SchemaScope scope, Span subject, TokenLimits limits,
                          char *out);

/* Checks the signature in constant time; the limits are the caller's to check. */
bool token_check(const AccessPolicy *policy, Span token, SchemaScope *ret_scope,
                 TokenLimits *ret_limits);

/* For rpc_server_on_authorize; `policy` is an AccessPolicy. */
Status access_authorize(void *policy, Call *call);

/* What the caller may do, with the token it has sent if any. */
SchemaScope access_scope(AccessPolicy *policy, Call *call);

/* Logs a browser in: a token that may be used (which uses it up, if it is good once) becomes a
 * session in a cookie of the answer, which scripts cannot read and other sites cannot send, for 30
 * days or the token's own time. False when the token is no good. */
bool access_log_in(AccessPolicy *policy, Call *call, Span token, SchemaScope *ret_scope);
