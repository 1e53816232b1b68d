#include "runtime/listen.h"

#include <errno.h>

static void add_url(const Address *address, bool secure, Buf *urls) {
    char text[ADDRESS_MAX];
    size_t len = address_format(address, text, sizeof text);
    bool web = address->kind == ADDRESS_TCP;
    buf_printf(urls, "%s%.*s\n", !web ? "" : secure ? "https://" : "http://", (int)len, text);
}

static int listen_one(HttpServer *server, const Address *wanted, TlsContext *tls, Buf *urls,
                      Buf *reason) {
    Address bound;
    int error = http_server_listen(server, wanted, tls, &bound);
    if (error == 0) {
        add_url(&bound, tls, urls);
        return 0;
    }
    char text[ADDRESS_MAX];
    address_format(wanted, text, sizeof text);
    if (error == -EADDRINUSE)
        buf_printf(reason,
                   "the address is in use: %s: stop what listens there, or choose another with "
                   "--listen (port 0 picks a free one)",
                   text);
    else
        buf_printf(reason, "cannot listen: %s: %s", text, strerror(-error));
    return error;
}

int listen_all(HttpServer *server, const Address *addresses, size_t count, TlsContext *tls,
               Buf *ret_urls, Buf *reason) {
    for (size_t i = 0; i < count; i++) {
        const Address *wanted = &addresses[i];
        int error =
            listen_one(server, wanted, wanted->kind == ADDRESS_TCP ? tls : NULL, ret_urls, reason);
        if (error < 0)
            return error;
    }
    return 0;
}
