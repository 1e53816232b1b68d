/* TLS above a Stream, by OpenSSL: 1.2 and 1.3, ALPN, client certificates, certificates that are
 * reloaded. */
#pragma once

#include "os/stream.h"

typedef struct TlsContext TlsContext;

typedef struct TlsOptions {
    const char *cert_file, *key_file; /* PEM; a server needs them, a client may have them */
    Span cert_pem, key_pem;           /* the same from memory */
    const char *ca_file;              /* PEM of whom to trust; NULL and no ca_pem = the system's */
    Span ca_pem;
    bool require_client_cert; /* server: insists on a certificate that the CAs vouch for */
    bool insecure;            /* client: accepts any certificate */
} TlsOptions;

/* Fails with a message that names the file and OpenSSL's reason. */
int tls_context_new(bool server, const TlsOptions *options, TlsContext **ret, char *reason,
                    size_t reason_size);
TlsContext *tls_context_ref(TlsContext *context);
void tls_context_unref(TlsContext *context);

/* Reads the files again; connections made from now on use them. On failure the old ones stay. */
int tls_context_reload(TlsContext *context, char *reason, size_t reason_size);

/* A TLS stream that takes the inner one over. `alpn`: protocols in order of preference ("h2",
 * "http/1.1"). `connected` of the handler tells that the handshake is done, `closed` with
 * -EPROTO or -ETIMEDOUT that it failed. */
Stream *tls_server(TlsContext *context, Stream *inner, const Span *alpn, size_t alpn_count);
Stream *tls_client(TlsContext *context, Stream *inner, Span server_name, const Span *alpn,
                   size_t alpn_count);

/* After the handshake: the protocol agreed on ({NULL,0} for none), and the peer certificate's
 * subject (RFC 2253 text) when it was verified. Live as long as the stream. */
Span tls_alpn(const Stream *stream);
Span tls_peer_subject(const Stream *stream);
/* OpenSSL's reason of a failed handshake, in words. */
Span tls_error(const Stream *stream);
