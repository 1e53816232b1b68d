/* Asking the system's resolver, on libuv's threads. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "os/real.h"

/* It cannot always be taken back, so it outlives who asked. */
typedef struct Question {
    uv_getaddrinfo_t request;
    Resolution *asker; /* NULL: nobody listens any more */
} Question;

static void take(Resolution *asker, const struct addrinfo *found) {
    for (; found; found = found->ai_next) {
        struct sockaddr_storage bytes = {0};
        memcpy(&bytes, found->ai_addr, found->ai_addrlen);
        socket_from(&bytes, found->ai_addrlen, array_push(&asker->found));
    }
    asker->error = asker->found.count ? 0 : -ENXIO;
}

static int name_error(int code) {
    switch (code) {
    case UV_EAI_AGAIN:
        return -EAGAIN;
    case UV_EAI_MEMORY:
        return -ENOMEM;
    case UV_EAI_CANCELED:
        return -ECANCELED;
    default:
        return -ENXIO;
    }
}

static void on_answer(uv_getaddrinfo_t *request, int status, struct addrinfo *found) {
    Question *question = CONTAINER(request, Question, request);
    Resolution *asker = question->asker;
    real_awake(request->loop->data);
    free(question);
    if (asker) {
        if (status)
            asker->error = name_error(status);
        else
            take(asker, found);
        resolution_tell(asker);
    }
    uv_freeaddrinfo(found);
}

void real_resolve(Resolution *resolution, const Address *address) {
    RealWorld *real = real_world(resolution->world);
    char port[8];
    snprintf(port, sizeof port, "%u", address->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    Question *question = xcalloc(1, sizeof *question);
    question->asker = resolution;
    resolution->asking = question;
    if (uv_getaddrinfo(&real->loop, &question->request, on_answer, address->host, port, &hints) !=
        0) {
        free(question);
        resolution->error = -EINVAL;
        resolution_tell(resolution);
    }
}

void real_resolve_cancel(Resolution *resolution) {
    Question *question = resolution->asking;
    question->asker = NULL;
    uv_cancel((uv_req_t *)&question->request);
}
