/* Where the runtime is reached: its listeners, and what they are called in URLs. */
#pragma once

#include "base/buf.h"
#include "net/http.h"
#include "os/process_host.h"

/* Opens all, or takes over those that an earlier life of the runtime has left with the keeper, so
 * that callers find it again where it was; the keeper gets a copy of each. TCP listeners speak TLS where there is a context. Appends where they are to
 * `ret_urls`, a line each: "http://127.0.0.1:50051", "unix:PATH". Negative errno, with `reason` as
 * "WHAT: WHERE: WHAT TO DO". */
int listen_all(HttpServer *server, ProcessHost *keeper, const Address *addresses, size_t count,
               TlsContext *tls, Buf *ret_urls, Buf *reason);
