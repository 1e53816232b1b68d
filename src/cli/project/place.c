#include "cli/project/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "keeper/keeper_client.h"
#include "runtime/data.h"
#include "runtime/project.h"

#define LOG_FILE     "runtime.log"
#define START_LIMIT  (20 * NANOS_PER_SECOND)
#define START_PAUSE  (2 * NANOS_PER_MILLI)
#define EXCERPT_SIZE 4096

/* ---- the files ---- */

static int find_file(Place *place) {
    char folder[4096];
    Buf path = {0}, reason = {0};
    if (!getcwd(folder, sizeof folder))
        return cli_fail(EXIT_FAILED, "the current folder is gone: change to another");
    int failed = project_find(folder, &path, &reason) < 0
                     ? cli_fail(EXIT_USAGE, "%.*s", SPAN_ARGS(buf_span(&reason)))
                     : 0;
    buf_done(&reason);
    if (!failed)
        *array_push(&place->files) = (char *)buf_cstr(&path);
    return failed;
}

int place_open(Place *place, char *const *files, size_t count, const char *data) {
    for (size_t i = 0; i < count; i++) {
        char *path = realpath(files[i], NULL);
        if (!path)
            return cli_fail(EXIT_USAGE, "cannot read: %s: %s", files[i], strerror(errno));
        *array_push(&place->files) = path;
    }
    int failed = count ? 0 : find_file(place);
    if (failed)
        return failed;
    Buf reason = {0}, folder = {0};
    if (project_read((const char *const *)place->files.items, place->files.count, data, 1,
                     &place->config, &reason) < 0) {
        failed = cli_fail(EXIT_USAGE, "%.*s", SPAN_ARGS(buf_span(&reason)));
        buf_done(&reason);
        return failed;
    }
    Arena arena = {0};
    const char *wanted = arena_text(&arena, place->config->data);
    int error = data_open(wanted, &folder);
    if (error < 0)
        failed = cli_fail(EXIT_FAILED,
                          "cannot make the data folder: %s: %s; name another with --data DIR",
                          wanted, data_open_text(error));
    else
        place->data = (char *)buf_cstr(&folder);
    arena_done(&arena);
    return failed;
}

void place_done(Place *place) {
    for (size_t i = 0; i < place->files.count; i++)
        free(place->files.items[i]);
    array_done(&place->files);
    config_unref(place->config);
    free(place->data);
}

bool place_is_kept(const Place *place) {
    KeeperStatus status;
    return keeper_status(place->data, &status) != -ENOENT;
}

/* ---- its runtime ---- */

static void log_path(const Place *place, char *out, size_t room) {
    snprintf(out, room, "%s/" LOG_FILE, place->data);
}

static off_t log_size(const Place *place) {
    char path[4200];
    struct stat about;
    log_path(place, path, sizeof path);
    return stat(path, &about) == 0 ? about.st_size : 0;
}

/* What the runtime has said since its log had that size. */
static int tell_failure(const Place *place, off_t from, const char *what) {
    char path[4200], text[EXCERPT_SIZE];
    log_path(place, path, sizeof path);
    size_t len = 0;
    FILE *file = fopen(path, "re");
    if (file) {
        if (fseeko(file, from, SEEK_SET) == 0)
            len = fread(text, 1, sizeof text, file);
        fclose(file);
    }
    while (len && text[len - 1] == '\n')
        len--;
    if (!len)
        return cli_fail(EXIT_FAILED, "%s: see %s", what, path);
    /* Its own errors are in our form already. */
    Span said = span(text, len);
    if (span_starts(said, SPAN("muster: ")))
        said = span_skip(said, strlen("muster: "));
    return cli_fail(EXIT_FAILED, "%.*s", SPAN_ARGS(said));
}

static int await_runtime(const Place *place, off_t log_from) {
    for (Nanos waited = 0; waited < START_LIMIT; waited += START_PAUSE) {
        KeeperStatus status;
        int error = keeper_status(place->data, &status);
        if (error == 0 && status.runtime_ready)
            return 0;
        if (error == -ENOENT || (error == 0 && status.runtime_exit != -1)) {
            Buf report = {0};
            keeper_end(place->data, NANOS_PER_SECOND, &report);
            buf_done(&report);
            return tell_failure(place, log_from, "the runtime has ended at once");
        }
        nanosleep(&(struct timespec){.tv_nsec = START_PAUSE}, NULL);
    }
    return tell_failure(place, log_from, "the runtime does not get ready");
}

int place_launch(const Place *place, char *const *listen, size_t listen_count) {
    ARRAY(const char *) argv = {0};
    char program[4096];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    if (len < 0)
        return cli_fail(EXIT_FAILED, "it is not known where this program lies: is /proc mounted?");
    program[len] = 0;
    *array_push(&argv) = "muster";
    *array_push(&argv) = "serve";
    *array_push(&argv) = "--data";
    *array_push(&argv) = place->data;
    for (size_t i = 0; i < place->files.count; i++) {
        *array_push(&argv) = "--file";
        *array_push(&argv) = place->files.items[i];
    }
    for (size_t i = 0; i < listen_count; i++) {
        *array_push(&argv) = "--listen";
        *array_push(&argv) = listen[i];
    }
    *array_push(&argv) = NULL;
    char log[4200];
    log_path(place, log, sizeof log);
    Arena arena = {0};
    KeeperRuntime runtime = {.program = program,
                             .argv = argv.items,
                             .cwd = arena_text(&arena, place->config->folder),
                             .log = log};
    Buf report = {0};
    off_t before = log_size(place);
    int error = keeper_launch(place->data, &runtime, &report);
    int result = error == 0 || error == -EALREADY
                     ? await_runtime(place, before)
                     : cli_fail(EXIT_FAILED, "the keeper cannot be started: %.*s",
                                SPAN_ARGS(buf_span(&report)));
    buf_done(&report);
    arena_done(&arena);
    array_done(&argv);
    return result;
}
