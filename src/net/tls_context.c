#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/buf.h"
#include "base/memory.h"
#include "net/tls_internal.h"

/* Forward secrecy and AEAD only: what HTTP/2 demands of TLS 1.2 (RFC 9113, 9.2.2). */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

struct TlsContext {
    atomic_uint references;
    bool server;
    TlsOptions options; /* texts point into `texts` */
    Arena texts;
    SSL_CTX *ssl;
    BIO_METHOD *bio;
};

/* Where a certificate or key comes from, for reading and for error messages. */
typedef struct Source {
    const char *file;
    Span pem;
} Source;

typedef struct Failure {
    char *text;
    size_t size;
} Failure;

const char *tls_reason(void) {
    unsigned long code = ERR_get_error();
    const char *reason = ERR_SYSTEM_ERROR(code) ? strerrordesc_np(ERR_GET_REASON(code))
                                                : ERR_reason_error_string(code);
    ERR_clear_error();
    return reason ? reason : "unknown reason";
}

static int fail(const Failure *failure, const Source *source, const char *what) {
    const char *reason = tls_reason();
    if (failure->size)
        snprintf(failure->text, failure->size, "%s: %s: %s",
                 source->file ? source->file : "certificate in memory", what, reason);
    return -EINVAL;
}

static bool given(const Source *source) {
    return source->file || source->pem.len;
}

static BIO *open_source(const Source *source) {
    return source->file ? BIO_new_file(source->file, "r")
                        : BIO_new_mem_buf(source->pem.ptr, (int)source->pem.len);
}

/* The end of the PEM blocks is no error. */
static bool at_end(void) {
    unsigned long last = ERR_peek_last_error();
    bool end = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
    if (end)
        ERR_clear_error();
    return end;
}

static int load_chain(SSL_CTX *ssl, const Source *source, const Failure *failure) {
    BIO *bio = open_source(source);
    if (!bio)
        return fail(failure, source, "cannot be opened");
    X509 *leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    bool good = leaf && SSL_CTX_use_certificate(ssl, leaf) == 1;
    X509_free(leaf);
    for (X509 *next; good && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL));) {
        good = SSL_CTX_add0_chain_cert(ssl, next) == 1;
        if (!good)
            X509_free(next);
    }
    BIO_free(bio);
    return good && at_end() ? 0 : fail(failure, source, "is no certificate chain in PEM");
}

static int load_key(SSL_CTX *ssl, const Source *source, const Failure *failure) {
    BIO *bio = open_source(source);
    if (!bio)
        return fail(failure, source, "cannot be opened");
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    bool good = key && SSL_CTX_use_PrivateKey(ssl, key) == 1;
    EVP_PKEY_free(key);
    return good ? 0 : fail(failure, source, "is no private key for the certificate");
}

static int load_authorities(SSL_CTX *ssl, const Source *source, bool server,
                            const Failure *failure) {
    BIO *bio = open_source(source);
    if (!bio)
        return fail(failure, source, "cannot be opened");
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    size_t count = 0;
    bool good = true;
    for (X509 *next; good && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)); count++) {
        good = X509_STORE_add_cert(store, next) == 1;
        if (good && server)
            good = SSL_CTX_add_client_CA(ssl, next) == 1;
        X509_free(next);
    }
    BIO_free(bio);
    return good && at_end() && count ? 0 : fail(failure, source, "holds no certificates in PEM");
}

static void set_policy(SSL_CTX *ssl, bool server) {
    SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(ssl, CIPHERS);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    if (server) {
        static const unsigned char id[] = "muster";
        SSL_CTX_set_session_id_context(ssl, id, sizeof id - 1);
        SSL_CTX_set_num_tickets(ssl, 1);
        SSL_CTX_set_alpn_select_cb(ssl, tls_select_alpn, NULL);
    }
}

static int load(SSL_CTX *ssl, bool server, const TlsOptions *options, const Failure *failure) {
    Source cert = {options->cert_file, options->cert_pem};
    Source key = {options->key_file, options->key_pem};
    Source authorities = {options->ca_file, options->ca_pem};
    int error = 0;
    set_policy(ssl, server);
    if (server && !(given(&cert) && given(&key))) {
        snprintf(failure->text, failure->size, "a TLS server needs a certificate and its key");
        return -EINVAL;
    }
    if (given(&cert) && (error = load_chain(ssl, &cert, failure)) < 0)
        return error;
    if (given(&key) && (error = load_key(ssl, &key, failure)) < 0)
        return error;
    if (given(&authorities))
        error = load_authorities(ssl, &authorities, server, failure);
    else if (!server)
        SSL_CTX_set_default_verify_paths(ssl);
    if (error < 0)
        return error;
    int mode = SSL_VERIFY_NONE;
    if (server ? given(&authorities) : !options->insecure)
        mode = SSL_VERIFY_PEER;
    if (server && options->require_client_cert)
        mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(ssl, mode, NULL);
    return 0;
}

int tls_context_reload(TlsContext *context, char *reason, size_t reason_size) {
    Failure failure = {reason, reason_size};
    SSL_CTX *ssl = SSL_CTX_new(context->server ? TLS_server_method() : TLS_client_method());
    if (!ssl)
        out_of_memory();
    int error = load(ssl, context->server, &context->options, &failure);
    if (error < 0) {
        SSL_CTX_free(ssl);
        return error;
    }
    SSL_CTX_free(context->ssl);
    context->ssl = ssl;
    return 0;
}

int tls_context_new(bool server, const TlsOptions *options, TlsContext **ret, char *reason,
                    size_t reason_size) {
    TlsContext *context = xcalloc(1, sizeof *context);
    Arena *texts = &context->texts;
    context->references = 1;
    context->server = server;
    context->bio = tls_bio_method();
    context->options = *options;
    TlsOptions *kept = &context->options;
    kept->cert_file = options->cert_file ? arena_text(texts, span_of(options->cert_file)) : NULL;
    kept->key_file = options->key_file ? arena_text(texts, span_of(options->key_file)) : NULL;
    kept->ca_file = options->ca_file ? arena_text(texts, span_of(options->ca_file)) : NULL;
    kept->cert_pem = arena_copy(texts, options->cert_pem);
    kept->key_pem = arena_copy(texts, options->key_pem);
    kept->ca_pem = arena_copy(texts, options->ca_pem);
    int error = tls_context_reload(context, reason, reason_size);
    if (error < 0)
        tls_context_unref(context);
    else
        *ret = context;
    return error;
}

TlsContext *tls_context_ref(TlsContext *context) {
    atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

void tls_context_unref(TlsContext *context) {
    if (!context || atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(context->ssl);
    BIO_meth_free(context->bio);
    arena_done(&context->texts);
    free(context);
}

SSL *tls_context_ssl(TlsContext *context) {
    SSL *ssl = SSL_new(context->ssl);
    if (!ssl)
        out_of_memory();
    return ssl;
}

BIO_METHOD *tls_context_bio(TlsContext *context) {
    return context->bio;
}

bool tls_context_is_server(const TlsContext *context) {
    return context->server;
}

bool tls_context_verifies(const TlsContext *context) {
    return SSL_CTX_get_verify_mode(context->ssl) != SSL_VERIFY_NONE;
}
