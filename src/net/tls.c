/* The SSL sits between two streams. Its BIO reads from the bytes that the inner stream is handing
 * out just now and writes into the inner stream's queue, so nothing is kept in between but what
 * the owner does not want to read yet. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/memory.h"
#include "net/tls_internal.h"

#define RECORD ((size_t)16 << 10)

typedef struct TlsStream {
    Stream stream;
    Stream *inner;
    TlsContext *context;
    SSL *ssl;
    Span incoming; /* ciphertext that the SSL may read */
    Buf held;      /* ciphertext that came while nobody wanted to read */
    Buf plain;     /* what the owner wrote, not yet encrypted */
    Task work;     /* encrypts what was written; reads on */
    Buf offers;    /* ALPN's wire format, in order of preference */
    Span subject;
    Arena texts;
    const char *why; /* of a failed handshake */
    int error;       /* what `closed` will say instead of the inner stream's */
    bool shaken;     /* the handshake is done */
    bool reading;    /* the owner wants to read */
    bool ended;      /* the peer's close_notify has come */
    bool finishing;  /* our close_notify is to follow what is queued */
    bool finished;
    bool closing;
} TlsStream;

/* ---- the BIO ---- */

static int bio_read(BIO *bio, char *out, int size) {
    TlsStream *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!tls->incoming.len) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t n = tls->incoming.len < (size_t)size ? tls->incoming.len : (size_t)size;
    memcpy(out, tls->incoming.ptr, n);
    tls->incoming = span_skip(tls->incoming, n);
    return (int)n;
}

static int bio_write(BIO *bio, const char *bytes, int size) {
    TlsStream *tls = BIO_get_data(bio);
    stream_write(tls->inner, span(bytes, (size_t)size));
    return size;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer) {
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_bio_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    if (!method || !BIO_meth_set_read(method, bio_read) || !BIO_meth_set_write(method, bio_write) ||
        !BIO_meth_set_ctrl(method, bio_ctrl))
        out_of_memory();
    return method;
}

/* ---- handshake and reading ---- */

/* Ends a connection that has gone wrong; alerts that the SSL has written still leave. */
static void break_off(TlsStream *tls, int error) {
    if (tls->closing)
        return;
    tls->closing = true;
    tls->error = error;
    stream_close(tls->inner, 0);
}

static void know_peer(TlsStream *tls) {
    X509 *certificate = SSL_get1_peer_certificate(tls->ssl);
    if (certificate && tls_context_verifies(tls->context) &&
        SSL_get_verify_result(tls->ssl) == X509_V_OK) {
        BIO *text = BIO_new(BIO_s_mem());
        char *bytes;
        X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
        long len = BIO_get_mem_data(text, &bytes);
        tls->subject = arena_copy(&tls->texts, span(bytes, (size_t)len));
        BIO_free(text);
    }
    X509_free(certificate);
}

static void handshake(TlsStream *tls) {
    ERR_clear_error();
    int result = SSL_do_handshake(tls->ssl);
    if (result == 1) {
        tls->shaken = true;
        know_peer(tls);
        if (!tls->reading)
            stream_read_stop(tls->inner);
        if (tls->stream.handler && tls->stream.handler->connected)
            tls->stream.handler->connected(tls->stream.owner);
        world_defer(tls->stream.world, &tls->work);
        return;
    }
    if (SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_READ)
        return;
    long verdict = SSL_get_verify_result(tls->ssl);
    const char *reason = tls_reason();
    tls->why = verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : reason;
    break_off(tls, -EPROTO);
}

static void on_notify(TlsStream *tls) {
    tls->ended = true;
    if (tls->stream.handler && tls->stream.handler->end)
        tls->stream.handler->end(tls->stream.owner);
}

/* Hands out what can be decrypted as long as the owner reads. */
static void decrypt(TlsStream *tls) {
    char bytes[RECORD];
    while (tls->reading && !tls->closing && !tls->ended) {
        ERR_clear_error();
        int n = SSL_read(tls->ssl, bytes, sizeof bytes);
        if (n > 0) {
            if (tls->stream.handler && tls->stream.handler->read)
                tls->stream.handler->read(tls->stream.owner, span(bytes, (size_t)n));
            continue;
        }
        int error = SSL_get_error(tls->ssl, n);
        if (error == SSL_ERROR_ZERO_RETURN) {
            on_notify(tls);
        } else if (error != SSL_ERROR_WANT_READ) {
            tls->why = tls_reason();
            break_off(tls, -EPROTO);
        }
        return;
    }
}

/* What the SSL did not take waits; the inner stream does, too. */
static void feed(TlsStream *tls, Span bytes) {
    tls->incoming = bytes;
    if (!tls->shaken)
        handshake(tls);
    if (tls->shaken)
        decrypt(tls);
    if (tls->ended || tls->closing)
        tls->incoming = (Span){0};
}

static void on_read(void *owner, Span bytes) {
    TlsStream *tls = owner;
    if (tls->closing || tls->ended)
        return;
    feed(tls, bytes);
    buf_add(&tls->held, tls->incoming);
    tls->incoming = (Span){0};
}

static void read_on(TlsStream *tls) {
    if (!tls->shaken || !tls->reading || tls->closing)
        return;
    Buf held = tls->held;
    tls->held = (Buf){0};
    feed(tls, buf_span(&held));
    buf_add(&tls->held, tls->incoming);
    tls->incoming = (Span){0};
    buf_done(&held);
    if (tls->reading && !tls->closing)
        stream_read_start(tls->inner);
}

/* ---- writing ---- */

static void encrypt(TlsStream *tls) {
    if (!tls->shaken || tls->finished)
        return;
    size_t done = 0;
    while (done < tls->plain.len) {
        ERR_clear_error();
        size_t len = tls->plain.len - done < RECORD ? tls->plain.len - done : RECORD;
        int n = SSL_write(tls->ssl, tls->plain.ptr + done, (int)len);
        if (n <= 0) {
            tls->why = tls_reason();
            break_off(tls, -EPROTO);
            break;
        }
        done += (size_t)n;
    }
    if (tls->plain.cap > RECORD)
        buf_done(&tls->plain);
    buf_clear(&tls->plain);
    if (tls->finishing && !tls->closing) {
        tls->finished = true;
        SSL_shutdown(tls->ssl);
        stream_finish(tls->inner);
    }
}

static void on_work(Task *task) {
    TlsStream *tls = CONTAINER(task, TlsStream, work);
    if (tls->closing)
        return;
    if (!tls->shaken)
        handshake(tls);
    encrypt(tls);
    read_on(tls);
}

/* ---- the rest of the inner stream's events ---- */

static void on_end(void *owner) {
    TlsStream *tls = owner;
    if (tls->closing)
        return;
    if (!tls->shaken) {
        tls->why = "the peer left during the handshake";
        break_off(tls, -EPROTO);
    } else if (!tls->ended) {
        /* Without its close_notify the end may be an attacker's. */
        break_off(tls, -ECONNRESET);
    }
}

static void on_writable(void *owner) {
    TlsStream *tls = owner;
    if (tls->stream.handler && tls->stream.handler->writable)
        tls->stream.handler->writable(tls->stream.owner);
}

static void tls_free(TlsStream *tls) {
    world_undefer(&tls->work);
    SSL_free(tls->ssl);
    tls_context_unref(tls->context);
    buf_done(&tls->held);
    buf_done(&tls->plain);
    buf_done(&tls->offers);
    arena_done(&tls->texts);
    free(tls);
}

static void on_closed(void *owner, int error) {
    TlsStream *tls = owner;
    tls->closing = true;
    if (tls->stream.handler && tls->stream.handler->closed)
        tls->stream.handler->closed(tls->stream.owner, tls->error ? tls->error : error);
    tls_free(tls);
}

static const StreamHandler INNER = {NULL, on_read, on_end, on_writable, on_closed};

/* ---- the stream's functions ---- */

static TlsStream *tls_of(const Stream *stream) {
    return (TlsStream *)stream;
}

static void op_read_start(Stream *stream) {
    TlsStream *tls = tls_of(stream);
    tls->reading = true;
    world_defer(stream->world, &tls->work);
}

static void op_read_stop(Stream *stream) {
    TlsStream *tls = tls_of(stream);
    tls->reading = false;
    if (tls->shaken)
        stream_read_stop(tls->inner);
}

static void op_write(Stream *stream, Span bytes) {
    TlsStream *tls = tls_of(stream);
    if (tls->finishing || tls->closing)
        return;
    buf_add(&tls->plain, bytes);
    world_defer(stream->world, &tls->work);
}

static size_t op_pending(const Stream *stream) {
    const TlsStream *tls = tls_of(stream);
    return tls->plain.len + stream_pending(tls->inner);
}

static void op_flush(Stream *stream) {
    TlsStream *tls = tls_of(stream);
    encrypt(tls);
    if (!tls->closing)
        stream_flush(tls->inner);
}

static void op_finish(Stream *stream) {
    TlsStream *tls = tls_of(stream);
    tls->finishing = true;
    world_defer(stream->world, &tls->work);
}

static void op_close(Stream *stream, int error) {
    TlsStream *tls = tls_of(stream);
    if (tls->closing)
        return;
    if (error == 0) {
        tls->finishing = true;
        encrypt(tls);
    }
    tls->closing = true;
    tls->error = error;
    stream_close(tls->inner, error);
}

static int op_detach(Stream *stream) {
    return -ENOTSUP;
}

static Span op_peer(const Stream *stream, char *room, size_t size) {
    return stream_peer(tls_of(stream)->inner, room, size);
}

static int64_t op_peer_uid(const Stream *stream) {
    return stream_peer_uid(tls_of(stream)->inner);
}

static const StreamOps OPS = {
    .read_start = op_read_start,
    .read_stop = op_read_stop,
    .write = op_write,
    .pending = op_pending,
    .flush = op_flush,
    .finish = op_finish,
    .close = op_close,
    .detach = op_detach,
    .peer = op_peer,
    .peer_uid = op_peer_uid,
};

/* ---- beginning ---- */

int tls_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                    const unsigned char *in, unsigned int in_len, void *unused) {
    const TlsStream *tls = SSL_get_app_data(ssl);
    int result = SSL_select_next_proto((unsigned char **)out, out_len,
                                       (const unsigned char *)tls->offers.ptr,
                                       (unsigned int)tls->offers.len, in, in_len);
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static TlsStream *tls_new(TlsContext *context, Stream *inner, const Span *alpn, size_t alpn_count) {
    TlsStream *tls = xcalloc(1, sizeof *tls);
    *tls = (TlsStream){
        .stream = {.ops = &OPS, .world = inner->world},
        .inner = inner,
        .context = tls_context_ref(context),
        .ssl = tls_context_ssl(context),
        .work = {.run = on_work},
    };
    for (size_t i = 0; i < alpn_count; i++) {
        buf_add_char(&tls->offers, (char)alpn[i].len);
        buf_add(&tls->offers, alpn[i]);
    }
    BIO *bio = BIO_new(tls_context_bio(context));
    if (!bio)
        out_of_memory();
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_app_data(tls->ssl, tls);
    stream_handle(inner, &INNER, tls);
    stream_read_start(inner);
    world_defer(inner->world, &tls->work);
    return tls;
}

Stream *tls_server(TlsContext *context, Stream *inner, const Span *alpn, size_t alpn_count) {
    TlsStream *tls = tls_new(context, inner, alpn, alpn_count);
    SSL_set_accept_state(tls->ssl);
    return &tls->stream;
}

Stream *tls_client(TlsContext *context, Stream *inner, Span server_name, const Span *alpn,
                   size_t alpn_count) {
    TlsStream *tls = tls_new(context, inner, alpn, alpn_count);
    const char *name = arena_text(&tls->texts, server_name);
    X509_VERIFY_PARAM *check = SSL_get0_param(tls->ssl);
    unsigned char address[sizeof(struct in6_addr)];
    SSL_set_connect_state(tls->ssl);
    if (alpn_count)
        SSL_set_alpn_protos(tls->ssl, (unsigned char *)tls->offers.ptr,
                            (unsigned int)tls->offers.len);
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1) {
        X509_VERIFY_PARAM_set1_ip_asc(check, name);
    } else {
        X509_VERIFY_PARAM_set1_host(check, name, server_name.len);
        SSL_set_tlsext_host_name(tls->ssl, name);
    }
    return &tls->stream;
}

Span tls_alpn(const Stream *stream) {
    const unsigned char *protocol;
    unsigned int len;
    SSL_get0_alpn_selected(tls_of(stream)->ssl, &protocol, &len);
    return len ? span(protocol, len) : (Span){0};
}

Span tls_peer_subject(const Stream *stream) {
    return tls_of(stream)->subject;
}

Span tls_error(const Stream *stream) {
    return span_of(tls_of(stream)->why);
}
