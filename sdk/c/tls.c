#include "tls.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "wire.h"

#define LIBRARY "libssl.so.3"
#define PIECE   (16 * 1024)

/* What is used of OpenSSL 3 (https://docs.openssl.org/3.0/man7/ssl/), whose objects are opaque. */
#define FUNCTIONS(F)                                                                               \
    F(const void *, TLS_client_method, (void))                                                     \
    F(void *, SSL_CTX_new, (const void *method))                                                   \
    F(void, SSL_CTX_free, (void *context))                                                         \
    F(int, SSL_CTX_set_default_verify_paths, (void *context))                                      \
    F(int, SSL_CTX_load_verify_locations, (void *context, const char *file, const char *folder))   \
    F(void, SSL_CTX_set_verify, (void *context, int mode, void *callback))                         \
    F(void *, SSL_new, (void *context))                                                            \
    F(void, SSL_free, (void *ssl))                                                                 \
    F(void, SSL_set_bio, (void *ssl, void *in, void *out))                                         \
    F(int, SSL_set1_host, (void *ssl, const char *name))                                           \
    F(long, SSL_ctrl, (void *ssl, int command, long number, void *argument))                       \
    F(void *, SSL_get0_param, (void *ssl))                                                         \
    F(int, X509_VERIFY_PARAM_set1_ip_asc, (void *parameters, const char *address))                 \
    F(int, SSL_connect, (void *ssl))                                                               \
    F(int, SSL_read, (void *ssl, void *out, int room))                                             \
    F(int, SSL_write, (void *ssl, const void *bytes, int len))                                     \
    F(int, SSL_get_error, (const void *ssl, int result))                                           \
    F(long, SSL_get_verify_result, (const void *ssl))                                              \
    F(void, ERR_clear_error, (void))                                                               \
    F(const void *, BIO_s_mem, (void))                                                             \
    F(void *, BIO_new, (const void *method))                                                       \
    F(int, BIO_read, (void *bio, void *out, int room))                                             \
    F(int, BIO_write, (void *bio, const void *bytes, int len))

/* Values of its headers. */
enum {
    VERIFY_PEER = 1,
    CTRL_SET_HOST_NAME = 55, /* of type 0 */
    ERROR_WANT_READ = 2,
    ERROR_WANT_WRITE = 3,
    ERROR_ZERO_RETURN = 6,
};

typedef struct OpenSsl {
#define DECLARE(result, name, arguments) result(*name) arguments;
    FUNCTIONS(DECLARE)
} OpenSsl;

struct Tls {
    OpenSsl open;
    TlsWire wire;
    void *ssl, *in, *out; /* and the bytes that came, and that are to go */
};

static int load(OpenSsl *open) {
    bool all = true;
    /* It stays loaded: it has registered what is to run at the end of the process. */
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library)
        return -ENOSYS;
#define LOAD(result, name, arguments)                                                              \
    *(void **)&open->name = dlsym(library, #name);                                                 \
    all = all && open->name;
    FUNCTIONS(LOAD)
    return all ? 0 : -ENOSYS;
}

/* Sends what TLS has written. */
static int send_out(Tls *tls, int64_t deadline) {
    char bytes[PIECE];
    int len, r = 0;
    while (r == 0 && (len = tls->open.BIO_read(tls->out, bytes, sizeof bytes)) > 0)
        r = tls->wire.send(tls->wire.owner, bytes, (size_t)len, deadline);
    return r;
}

/* After a call that had no result: 1 when it may be tried again, 0 at the end of the connection. */
static int move_on(Tls *tls, int result, int64_t deadline) {
    int why = tls->open.SSL_get_error(tls->ssl, result);
    int r = send_out(tls, deadline);
    if (r < 0)
        return r;
    if (why == ERROR_WANT_READ) {
        char bytes[PIECE];
        int got = tls->wire.receive(tls->wire.owner, bytes, sizeof bytes, deadline);
        if (got > 0)
            tls->open.BIO_write(tls->in, bytes, got);
        return got > 0 ? 1 : got;
    }
    if (why == ERROR_WANT_WRITE || why == ERROR_ZERO_RETURN)
        return why == ERROR_WANT_WRITE;
    return tls->open.SSL_get_verify_result(tls->ssl) ? -EKEYREJECTED : -EPROTO;
}

static int trust(const OpenSsl *open, void *context, const char *ca_file) {
    open->SSL_CTX_set_verify(context, VERIFY_PEER, NULL);
    int good = ca_file ? open->SSL_CTX_load_verify_locations(context, ca_file, NULL)
                       : open->SSL_CTX_set_default_verify_paths(context);
    open->ERR_clear_error();
    return good == 1 ? 0 : -EKEYREJECTED;
}

/* The certificate must be for this name, or address. */
static void expect(Tls *tls, const char *host) {
    const OpenSsl *open = &tls->open;
    if (open->X509_VERIFY_PARAM_set1_ip_asc(open->SSL_get0_param(tls->ssl), host) == 1)
        return;
    open->ERR_clear_error();
    open->SSL_set1_host(tls->ssl, host);
    open->SSL_ctrl(tls->ssl, CTRL_SET_HOST_NAME, 0, (void *)(uintptr_t)host);
}

static int make(Tls *tls, const char *host, const char *ca_file) {
    OpenSsl *open = &tls->open;
    int r = load(open);
    if (r < 0)
        return r;
    void *context = open->SSL_CTX_new(open->TLS_client_method());
    if (!context)
        return -ENOMEM;
    r = trust(open, context, ca_file);
    tls->ssl = r == 0 ? open->SSL_new(context) : NULL;
    open->SSL_CTX_free(context);
    if (!tls->ssl)
        return r < 0 ? r : -ENOMEM;
    tls->in = open->BIO_new(open->BIO_s_mem());
    tls->out = open->BIO_new(open->BIO_s_mem());
    open->SSL_set_bio(tls->ssl, tls->in, tls->out);
    expect(tls, host);
    return 0;
}

int mu_tls_connect(const TlsWire *wire, const char *host, const char *ca_file, int64_t deadline,
                   Tls **ret) {
    Tls *tls = mu_allocate(sizeof *tls);
    tls->wire = *wire;
    int done, r = make(tls, host, ca_file);
    while (r == 0 && (done = tls->open.SSL_connect(tls->ssl)) != 1) {
        r = move_on(tls, done, deadline);
        r = r > 0 ? 0 : r < 0 ? r : -ECONNRESET;
    }
    if (r == 0)
        r = send_out(tls, deadline);
    if (r < 0)
        mu_tls_free(tls);
    else
        *ret = tls;
    return r;
}

void mu_tls_free(Tls *tls) {
    if (tls && tls->ssl)
        tls->open.SSL_free(tls->ssl);
    free(tls);
}

int mu_tls_send(Tls *tls, const char *bytes, size_t len, int64_t deadline) {
    int r = 0;
    while (r == 0 && len) {
        tls->open.ERR_clear_error();
        int some = tls->open.SSL_write(tls->ssl, bytes, len < PIECE ? (int)len : PIECE);
        if (some > 0) {
            bytes += some;
            len -= (size_t)some;
            r = send_out(tls, deadline);
            continue;
        }
        r = move_on(tls, some, deadline);
        r = r > 0 ? 0 : r < 0 ? r : -ECONNRESET;
    }
    return r;
}

int mu_tls_receive(Tls *tls, char *out, size_t room, int64_t deadline) {
    for (;;) {
        tls->open.ERR_clear_error();
        int got = tls->open.SSL_read(tls->ssl, out, room < INT_MAX ? (int)room : INT_MAX);
        if (got > 0)
            return got;
        int r = move_on(tls, got, deadline);
        if (r <= 0)
            return r;
    }
}
