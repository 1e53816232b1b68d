/* TLS over a connection of http.h, by the machine's OpenSSL 3. It is loaded when an https address
 * asks for it, so that nobody else needs it. Private. */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct Tls Tls;

/* The connection below. Both block, until the deadline. */
typedef struct TlsWire {
    int (*send)(void *owner, const char *bytes, size_t len, int64_t deadline); /* all; 0 */
    int (*receive)(void *owner, char *out, size_t room, int64_t deadline); /* some; 0: the end */
    void *owner;
} TlsWire;

/* Shakes hands as a client of `host`, whose certificate must be vouched for by one in `ca_file`
 * (NULL: by the machine's). -ENOSYS: there is no OpenSSL 3; -EKEYREJECTED: the certificate is not to
 * be trusted, or the file is none; -EPROTO; or what the wire says. */
int mu_tls_connect(const TlsWire *wire, const char *host, const char *ca_file, int64_t deadline,
                   Tls **ret);
void mu_tls_free(Tls *tls); /* NULL is ignored */

int mu_tls_send(Tls *tls, const char *bytes, size_t len, int64_t deadline);
int mu_tls_receive(Tls *tls, char *out, size_t room, int64_t deadline);
