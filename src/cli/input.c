#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/memory.h"

#define WAITING_MAX 64 /* documents read ahead */
#define PIECE       (64 * 1024)

typedef struct Document {
    Link link;
    InputState state;
    Buf text;
} Document;

/* Shared by the loop and the thread, which may be stuck in read() when the loop has done with it:
 * whoever leaves last frees it. */
struct Input {
    char *const *arguments;
    size_t count;
    void (*arrived)(void *owner);
    void *owner;
    Bell *bell; /* NULL once the loop has left */
    pthread_mutex_t mutex;
    pthread_cond_t room;
    Link documents;
    size_t waiting;
    bool reader_left;
};

/* ---- cutting ---- */

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes one character; true when the document ends with it. */
static bool cut_one(JsonCutter *cutter, char c) {
    if (cutter->in_string) {
        if (cutter->escaped)
            cutter->escaped = false;
        else if (c == '\\')
            cutter->escaped = true;
        else if (c == '"')
            cutter->in_string = false;
        return c == '"' && !cutter->in_string && cutter->depth == 0;
    }
    if (c == '}' || c == ']') {
        if (cutter->depth <= 1)
            return true;
        cutter->depth--;
    } else if (c == '"') {
        cutter->in_string = true;
    } else if (c == '{' || c == '[') {
        cutter->depth++;
    } else {
        cutter->in_word = cutter->depth == 0;
    }
    return false;
}

size_t json_cut(JsonCutter *cutter, Span bytes, bool *ret_complete) {
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.ptr[i];
        bool word_ends = cutter->in_word && (is_blank(c) || c == '{' || c == '[' || c == '"');
        if (!word_ends && !cut_one(cutter, c))
            continue;
        *cutter = (JsonCutter){0};
        *ret_complete = true;
        return word_ends ? i : i + 1;
    }
    *ret_complete = false;
    return bytes.len;
}

/* ---- the thread ---- */

static void input_free(Input *input) {
    for (Link *link; (link = list_pop_front(&input->documents));) {
        Document *document = CONTAINER(link, Document, link);
        buf_done(&document->text);
        free(document);
    }
    pthread_mutex_destroy(&input->mutex);
    pthread_cond_destroy(&input->room);
    free(input);
}

/* False when the loop has left. */
static bool pass_on(Input *input, InputState state, Buf *text) {
    Document *document = xcalloc(1, sizeof *document);
    document->state = state;
    document->text = *text;
    *text = (Buf){0};
    pthread_mutex_lock(&input->mutex);
    while (input->bell && input->waiting >= WAITING_MAX)
        pthread_cond_wait(&input->room, &input->mutex);
    list_push_back(&input->documents, &document->link);
    input->waiting++;
    bool heard = input->bell != NULL;
    if (heard)
        world_wake(input->bell);
    pthread_mutex_unlock(&input->mutex);
    return heard;
}

/* Cuts a piece; what is not complete stays in `text`. */
static bool pass_on_piece(Input *input, JsonCutter *cutter, Buf *text, Span piece) {
    while (piece.len) {
        if (!text->len && is_blank(*piece.ptr)) {
            piece = span_skip(piece, 1);
            continue;
        }
        bool complete;
        size_t taken = json_cut(cutter, piece, &complete);
        buf_add(text, span(piece.ptr, taken));
        piece = span_skip(piece, taken);
        if (complete && !pass_on(input, INPUT_DOCUMENT, text))
            return false;
    }
    return true;
}

static bool pass_on_failure(Input *input, const char *name, int error) {
    Buf text = {0};
    buf_printf(&text, "%s: %s", name, strerror(error));
    pass_on(input, INPUT_BROKEN, &text);
    return false;
}

static bool read_fd(Input *input, const char *name, int fd) {
    JsonCutter cutter = {0};
    Buf text = {0};
    char *piece = xcalloc(1, PIECE);
    ssize_t got;
    bool goes_on = true;
    while (goes_on && (got = read(fd, piece, PIECE)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        goes_on = got > 0 ? pass_on_piece(input, &cutter, &text, span(piece, (size_t)got))
                          : pass_on_failure(input, name, errno);
    }
    if (goes_on && text.len)
        goes_on = pass_on(input, INPUT_DOCUMENT, &text);
    buf_done(&text);
    free(piece);
    return goes_on;
}

static bool read_argument(Input *input, const char *argument) {
    Buf text = {0};
    if (strcmp(argument, "-") == 0)
        return read_fd(input, "stdin", STDIN_FILENO);
    if (argument[0] != '@') {
        buf_add(&text, span_of(argument));
        return pass_on(input, INPUT_DOCUMENT, &text);
    }
    int fd = open(argument + 1, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pass_on_failure(input, argument + 1, errno);
    bool goes_on = read_fd(input, argument + 1, fd);
    close(fd);
    return goes_on;
}

/* NULL when the loop has left: the array may be gone by then. */
static const char *argument_at(Input *input, size_t index) {
    pthread_mutex_lock(&input->mutex);
    const char *argument = input->bell ? input->arguments[index] : NULL;
    pthread_mutex_unlock(&input->mutex);
    return argument;
}

static void *read_all(void *owner) {
    Input *input = owner;
    Buf nothing = {0};
    bool goes_on = true;
    for (size_t i = 0; i < input->count && goes_on; i++) {
        const char *argument = argument_at(input, i);
        goes_on = argument && read_argument(input, argument);
    }
    if (goes_on)
        pass_on(input, INPUT_END, &nothing);
    pthread_mutex_lock(&input->mutex);
    input->reader_left = true;
    bool last = !input->bell;
    pthread_mutex_unlock(&input->mutex);
    if (last)
        input_free(input);
    return NULL;
}

/* ---- the loop's side ---- */

static void on_bell(void *owner) {
    Input *input = owner;
    input->arrived(input->owner);
}

Input *input_open(World *world, char *const *arguments, size_t count, void (*arrived)(void *owner),
                  void *owner) {
    Input *input = xcalloc(1, sizeof *input);
    pthread_t reader;
    input->arguments = arguments;
    input->count = count;
    input->arrived = arrived;
    input->owner = owner;
    input->bell = bell_new(world, on_bell, input);
    pthread_mutex_init(&input->mutex, NULL);
    pthread_cond_init(&input->room, NULL);
    list_init(&input->documents);
    if (pthread_create(&reader, NULL, read_all, input) != 0)
        abort();
    pthread_detach(reader);
    return input;
}

void input_close(Input *input) {
    pthread_mutex_lock(&input->mutex);
    bell_free(input->bell);
    input->bell = NULL;
    bool last = input->reader_left;
    pthread_cond_signal(&input->room);
    pthread_mutex_unlock(&input->mutex);
    if (last)
        input_free(input);
}

InputState input_next(Input *input, Buf *ret) {
    pthread_mutex_lock(&input->mutex);
    Link *link = list_pop_front(&input->documents);
    input->waiting -= link != NULL;
    pthread_cond_signal(&input->room);
    pthread_mutex_unlock(&input->mutex);
    if (!link)
        return INPUT_LATER;
    Document *document = CONTAINER(link, Document, link);
    InputState state = document->state;
    buf_add(ret, buf_span(&document->text));
    buf_done(&document->text);
    free(document);
    return state;
}
