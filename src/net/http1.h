/* HTTP/1's two halves share this: http1.c reads, http1_write.c writes. Private to src/net. */
#pragma once

#include <llhttp.h>

#include "net/http_internal.h"

/* How our side's body is delimited. */
typedef enum Http1Framing {
    HTTP1_NONE,    /* there is none */
    HTTP1_LENGTH,  /* by content-length */
    HTTP1_CHUNKED, /* in chunks */
    HTTP1_CLOSE,   /* by the end of the connection */
} Http1Framing;

typedef struct Http1 {
    llhttp_t parser;
    HttpConnection *connection;
    HttpExchange *exchange; /* the one there is, from its first byte on */
    Buf name, value;        /* of the header that is coming in; `name` also holds the target */
    Buf input;              /* what came while it could not be parsed yet, from `taken` on */
    size_t taken;
    const char *start; /* of what is being parsed */
    Nanos since;       /* when the head began to come in */
    size_t raw;        /* bytes of the head so far, with all white space */
    int refusal;       /* status to answer with when a callback has stopped the parser */
    const char *why;   /* what was wrong */
    uint64_t length;   /* HTTP1_LENGTH: what is left of the body that was announced */
    Http1Framing framing;
    bool after_newline : 1; /* the last byte before `start` that is no blank was a newline */
    bool in_head : 1;       /* a head has begun and is not complete */
    bool parsed : 1;        /* the peer's message is complete */
    bool keep_alive : 1;    /* the connection goes on after this exchange */
    bool headed : 1;        /* our head is written */
} Http1;

/* Writes what the exchange has; true when all of our side is written. */
bool http1_write(Http1 *http1, HttpExchange *exchange);

/* Answers with plain text and no exchange. */
void http1_answer(Http1 *http1, int status, Span text);
