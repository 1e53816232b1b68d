/* One HTTP/1.1 connection to the runtime: blocking, with deadlines, one request at a time. Private. */
#pragma once

#include "tls.h"
#include "wire.h"

/* Where the runtime is. */
typedef struct Target {
    char *host; /* NULL: it is a unix socket */
    char *port;
    char *path; /* of that socket */
    char *authority;
    char *token; /* NULL: none */
    bool tls;
    char *ca_file; /* whom to trust then; NULL: whom the machine trusts */
} Target;

/* "http://HOST:PORT", "https://HOST:PORT", "HOST:PORT" or "unix:PATH". False for anything else. */
bool mu_target_parse(Target *target, const char *address);
void mu_target_done(Target *target);

typedef struct Http {
    const Target *target;
    int cancel;  /* readable: everything ends with -ECANCELED; -1: nothing does */
    int fd;      /* -1: not connected */
    Tls *tls;    /* NULL: it goes in the clear */
    int64_t end; /* no deadline is later than this instant; 0: any may be */
    Bytes in;    /* received, and not taken yet */
    /* of the answer that is being read */
    int status;
    bool chunked, close, over;
    int64_t left; /* of the body, or of the chunk; -1: until the connection ends */
} Http;

int64_t mu_now_ms(void); /* monotonic */

void mu_http_init(Http *http, const Target *target, int cancel);
void mu_http_close(Http *http); /* it may be used again: the next request connects */

/* Sends a POST and reads the head of the answer into `status`. A connection that had been idle and
 * turns out to be closed is opened again. -ECONNREFUSED and its like, -ETIMEDOUT, -ECANCELED,
 * -EPROTO; the connection is closed then. */
int mu_http_post(Http *http, const char *path, const char *type, const Bytes *body,
                 int64_t deadline);

/* The second half of http_post, for who has sent the request. */
int mu_http_answer(Http *http, int64_t deadline);

/* Adds some of the body to `out`: how many bytes, 0 at its end. Errors as above. */
int mu_http_body(Http *http, Bytes *out, int64_t deadline);
