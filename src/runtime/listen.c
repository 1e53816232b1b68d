#include "runtime/listen.h"

#include <errno.h>
#include <unistd.h>

#include "keeper/keeper_client.h"
#include "os/machine.h"

static void add_url(const Address *address, bool secure, Buf *urls) {
    char text[ADDRESS_MAX];
    size_t len = address_format(address, text, sizeof text);
    bool web = address->kind == ADDRESS_TCP;
    buf_printf(urls, "%s%.*s\n", !web ? "" : secure ? "https://" : "http://", (int)len, text);
}

/* On the socket that is there already, or on one of our own. */
static int open_listener(HttpServer *server, ProcessHost *keeper, const Address *wanted, Span name,
                         TlsContext *tls, Address *ret_bound) {
    int left = keeper_client_take_listener(keeper, name);
    if (left < 0)
        return http_server_listen(server, wanted, tls, ret_bound);
    int error = http_server_adopt(server, left, tls, ret_bound);
    if (error < 0)
        close(left);
    return error;
}

/* "127.0.0.1:80 by nginx (pid 71)"; where it is known. */
static void add_holder(const Address *address, Buf *out) {
    MachineProcess process;
    char command[160];
    if (address->kind != ADDRESS_TCP || MACHINE.listener(address->port, &process) < 0 ||
        !process.identity.pid)
        return;
    machine_command_text(&process, command, sizeof command);
    buf_printf(out, " by %s (pid %lld)", command, (long long)process.identity.pid);
}

static int listen_one(HttpServer *server, ProcessHost *keeper, const Address *wanted,
                      TlsContext *tls, Buf *urls, Buf *reason) {
    Address bound;
    char text[ADDRESS_MAX];
    Span name = span(text, address_format(wanted, text, sizeof text));
    int error = open_listener(server, keeper, wanted, name, tls, &bound);
    if (error == 0) {
        keeper_client_leave_listener(keeper, name, http_server_last_listener(server));
        add_url(&bound, tls, urls);
        return 0;
    }
    if (error == -EADDRINUSE) {
        buf_printf(reason, "the address is in use: %s", text);
        add_holder(wanted, reason);
        buf_add_literal(reason, ": end that, or choose another with --listen or listen: in the "
                                "project's file (port 0 picks a free one)");
    } else {
        buf_printf(reason, "cannot listen: %s: %s", text, strerror(-error));
    }
    return error;
}

int listen_all(HttpServer *server, ProcessHost *keeper, const Address *addresses, size_t count,
               TlsContext *tls, Buf *ret_urls, Buf *reason) {
    for (size_t i = 0; i < count; i++) {
        const Address *wanted = &addresses[i];
        int error = listen_one(server, keeper, wanted, wanted->kind == ADDRESS_TCP ? tls : NULL,
                               ret_urls, reason);
        if (error < 0)
            return error;
    }
    return 0;
}
