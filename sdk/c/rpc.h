/* Calls by the Connect protocol (https://connectrpc.com/docs/protocol/), messages as bytes. Private. */
#pragma once

#include "http.h"

/* A unary call: 0 and the answer (cleared first), or as http_post; -ENOENT where the runtime knows
 * not what is asked for, -EPROTO where it refuses otherwise. */
int mu_rpc_unary(Http *http, const char *method, const Bytes *request, Bytes *ret, int timeout_ms);

/* A message behind those that a stream is to carry. */
void mu_rpc_envelope(Bytes *stream, const Bytes *message);

/* A call with a stream of messages, all of them sent at once: the first answer, errors as above. */
int mu_rpc_stream(Http *http, const char *method, const Bytes *stream, Bytes *ret, int timeout_ms);

/* The same with many answers: begins it, and gives one after the other: 1, or 0 at the end. `in` is
 * the caller's, empty at the beginning. There is no deadline; the call is ended by `cancel`, or by
 * http_close. */
int mu_rpc_begin(Http *http, const char *method, const Bytes *stream, int timeout_ms);
int mu_rpc_next(Http *http, Bytes *in, Bytes *ret);
