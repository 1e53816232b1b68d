/* How the protocols write what is not a message: deadlines, error texts, binary metadata, codes.
 *
 * Sources: gRPC over HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md),
 * Connect (https://connectrpc.com/docs/protocol). All functions are pure. */
#pragma once

#include "base/clock.h"
#include "base/status.h"
#include "net/http.h"

/* grpc-timeout: at most 8 digits and one of H M S m u n. Connect-Timeout-Ms: at most 10 digits.
 * Durations past what Nanos holds are cut to it. */
bool timeout_parse_grpc(Span text, Nanos *ret);
bool timeout_parse_connect(Span text, Nanos *ret);

/* The same, written. What the unit cannot say is rounded up, so that a short time does not
 * become none at all. Room: TIMEOUT_MAX. */
#define TIMEOUT_MAX 16
size_t timeout_format_grpc(char *out, Nanos timeout);
size_t timeout_format_connect(char *out, Nanos timeout);

/* grpc-message: bytes outside 0x20–0x7e, and '%', become %XX. Decoding leaves malformed escapes
 * as they stand. The result is the input itself where nothing changes, else it lives in the
 * arena. */
Span percent_encode(Arena *arena, Span text);
Span percent_decode(Arena *arena, Span text);

/* Metadata as it travels in headers. Names ending in "-bin" carry base64 there and bytes in
 * memory: several values joined by commas become several headers, padding is optional. */
bool metadata_is_binary(Span name);
/* Whether a header belongs to the protocols or to HTTP, so that it is no metadata. */
bool metadata_is_reserved(Span name);
/* Metadata of a message's headers: those with `prefix` (Connect's "trailer-"; taken off) or,
 * with an empty one, all; without reserved ones, binary values decoded. False when one is not
 * base64. Lives in the arena; text values are shared with the input. */
bool metadata_read(Arena *arena, HttpHeaders headers, Span prefix, HttpHeaders *ret);
/* One value as it is written in a header. */
Span metadata_write_value(Arena *arena, Span name, Span value);
/* Whether name and value may stand in a header at all: token characters in lower case, no
 * control characters. Binary values may hold anything. */
bool metadata_is_valid(Span name, Span value);

/* The code that stands for an HTTP status when the peer did not speak RPC, for an HTTP/2 reset
 * code of the peer or a reason of HttpExchangeHandler.closed, and the HTTP status that Connect
 * and REST answer for a code. */
StatusCode status_from_http(int http_status);
StatusCode status_from_reset(int reason);
int status_to_http(StatusCode code);

/* Connect's names of the codes: "not_found"; "canceled", with one l. -1 for what is none. */
size_t connect_code_write(char *out, StatusCode code);
int connect_code_read(Span name);
#define CONNECT_CODE_MAX 24
