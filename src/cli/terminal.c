#include "cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"

#define WAITING_MAX (64 * 1024)

struct Terminal {
    void (*typed)(void *owner, Span bytes);
    void *owner;
    Bell *bell;
    pthread_t reader;
    int stop[2]; /* a pipe: closing its writing end ends the reader */
    bool changed;
    struct termios before;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t room;
    Buf waiting;
    bool ended, leaving;
};

/* ---- the reader ---- */

/* False when the loop leaves. */
static bool pass_on(Terminal *terminal, Span bytes) {
    pthread_mutex_lock(&terminal->mutex);
    while (terminal->waiting.len > WAITING_MAX && !terminal->leaving)
        pthread_cond_wait(&terminal->room, &terminal->mutex);
    buf_add(&terminal->waiting, bytes);
    terminal->ended |= bytes.len == 0;
    bool goes_on = !terminal->leaving;
    pthread_mutex_unlock(&terminal->mutex);
    world_wake(terminal->bell);
    return goes_on;
}

static void *read_keys(void *owner) {
    Terminal *terminal = owner;
    char piece[4096];
    struct pollfd sources[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                               {.fd = terminal->stop[0], .events = POLLIN}};
    for (;;) {
        if (poll(sources, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (sources[1].revents)
            return NULL;
        if (!sources[0].revents)
            continue;
        ssize_t got = read(STDIN_FILENO, piece, sizeof piece);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (!pass_on(terminal, span(piece, got > 0 ? (size_t)got : 0)) || got <= 0)
            return NULL;
    }
}

/* ---- the loop's side ---- */

/* One thing a time, since who is told may close it: the end, when bytes come before it, waits for
 * another ring. */
static void on_bell(void *owner) {
    Terminal *terminal = owner;
    pthread_mutex_lock(&terminal->mutex);
    Buf typed = terminal->waiting;
    bool ended = terminal->ended && !typed.len;
    terminal->waiting = (Buf){0};
    if (terminal->ended)
        world_wake(terminal->bell);
    if (ended)
        terminal->ended = false;
    pthread_cond_signal(&terminal->room);
    pthread_mutex_unlock(&terminal->mutex);
    if (typed.len || ended)
        terminal->typed(terminal->owner, buf_span(&typed));
    buf_done(&typed);
}

static void change_mode(Terminal *terminal, TerminalMode mode) {
    if (mode == TERMINAL_LINES || tcgetattr(STDIN_FILENO, &terminal->before) < 0)
        return;
    struct termios now = terminal->before;
    if (mode == TERMINAL_RAW)
        cfmakeraw(&now);
    else
        now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    now.c_oflag = terminal->before.c_oflag;
    terminal->changed = tcsetattr(STDIN_FILENO, TCSADRAIN, &now) == 0;
}

Terminal *terminal_open(World *world, TerminalMode mode, void (*typed)(void *owner, Span bytes),
                        void *owner) {
    Terminal *terminal = xcalloc(1, sizeof *terminal);
    terminal->typed = typed;
    terminal->owner = owner;
    terminal->bell = bell_new(world, on_bell, terminal);
    pthread_mutex_init(&terminal->mutex, NULL);
    pthread_cond_init(&terminal->room, NULL);
    change_mode(terminal, mode);
    if (pipe(terminal->stop) < 0 || pthread_create(&terminal->reader, NULL, read_keys, terminal))
        abort();
    return terminal;
}

void terminal_close(Terminal *terminal) {
    if (!terminal)
        return;
    pthread_mutex_lock(&terminal->mutex);
    terminal->leaving = true;
    pthread_cond_signal(&terminal->room);
    pthread_mutex_unlock(&terminal->mutex);
    close(terminal->stop[1]);
    pthread_join(terminal->reader, NULL);
    close(terminal->stop[0]);
    bell_free(terminal->bell);
    if (terminal->changed)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->before);
    buf_done(&terminal->waiting);
    pthread_mutex_destroy(&terminal->mutex);
    pthread_cond_destroy(&terminal->room);
    free(terminal);
}
