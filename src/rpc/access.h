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

typedef struct AccessPolicy {
    uint8_t key[TOKEN_KEY_SIZE];
    bool required;
} AccessPolicy;

/* Writes a token; returns its length, 0 when the subject is too long. `out` has room for
 * TOKEN_MAX. */
size_t token_make(const AccessPolicy *policy, SchemaScope scope, Span subject, char *out);

/* Checks in constant time. */
bool token_check(const AccessPolicy *policy, Span token, SchemaScope *ret_scope);

/* For rpc_server_on_authorize; `policy` is an AccessPolicy. */
Status access_authorize(void *policy, Call *call);
