#include "runtime/self.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"

/* What the kernel adds to the path of a program that was replaced, as a rebuild does: the new one
 * has the path without it. */
#define DELETED " (deleted)"

static int read_whole(const char *path, Buf *ret_text) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    ssize_t got;
    while ((got = read(file, buf_reserve(ret_text, 4096), 4096)) > 0)
        ret_text->len += (size_t)got;
    int error = got < 0 ? -errno : 0;
    close(file);
    return error;
}

static int program_path(char **ret_path) {
    char path[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    if (len < 0)
        return -errno;
    path[len] = 0;
    char *end = path + len - strlen(DELETED);
    if (end > path && strcmp(end, DELETED) == 0)
        *end = 0;
    *ret_path = strdup(path);
    return 0;
}

int self_describe(const char *log, KeeperRuntime *ret_runtime) {
    Buf text = {0};
    char *program = NULL, *cwd = getcwd(NULL, 0);
    int error = cwd ? read_whole("/proc/self/cmdline", &text) : -errno;
    if (!error)
        error = program_path(&program);
    if (error) {
        buf_done(&text);
        free(cwd);
        return error;
    }
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += !text.ptr[i];
    /* The words lie behind the pointers to them, in one piece. */
    const char **argv = xmalloc((count + 1) * sizeof *argv + text.len + 1);
    char *at = memcpy(argv + count + 1, text.ptr, text.len);
    for (size_t i = 0; i < count; i++) {
        argv[i] = at;
        at += strlen(at) + 1;
    }
    argv[count] = NULL;
    buf_done(&text);
    *ret_runtime = (KeeperRuntime){.program = program, .argv = argv, .cwd = cwd, .log = log};
    return 0;
}

void self_done(KeeperRuntime *runtime) {
    free((char *)runtime->program);
    free((void *)runtime->argv);
    free((char *)runtime->cwd);
}
