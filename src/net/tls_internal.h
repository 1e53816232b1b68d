/* What tls.c (streams) and tls_context.c (certificates) share. Private to src/net. */
#pragma once

#include <openssl/ssl.h>

#include "net/tls.h"

/* A new connection's SSL with the context's present certificates. */
SSL *tls_context_ssl(TlsContext *context);

/* The BIO through which the SSL of a TlsStream reads and writes: see tls.c. */
BIO_METHOD *tls_context_bio(TlsContext *context);
BIO_METHOD *tls_bio_method(void);

bool tls_context_is_server(const TlsContext *context);

/* Whether peers' certificates are checked. */
bool tls_context_verifies(const TlsContext *context);

/* Server: chooses a protocol for the TlsStream of this SSL. */
int tls_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                    const unsigned char *in, unsigned int in_len, void *unused);

/* OpenSSL's oldest queued reason in words, and empties the queue. */
const char *tls_reason(void);
