#include "os/folder_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/array.h"
#include "base/memory.h"

#define CHANGES                                                                                    \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR |           \
     IN_EXCL_UNLINK)
#define READ_SIZE (64 * 1024)

typedef struct Folder {
    int number; /* the kernel's */
    char *path;
} Folder;

struct FolderWatch {
    int fd;
    FdWatch *ready;
    void (*changed)(void *owner, const FolderChange *change);
    void *owner;
    ARRAY(Folder) folders;
};

static const Folder *find(const FolderWatch *watch, int number) {
    for (size_t i = 0; i < watch->folders.count; i++)
        if (watch->folders.items[i].number == number)
            return &watch->folders.items[i];
    return NULL;
}

static void forget(FolderWatch *watch, int number) {
    for (size_t i = 0; i < watch->folders.count; i++)
        if (watch->folders.items[i].number == number) {
            free(watch->folders.items[i].path);
            watch->folders.items[i] = watch->folders.items[--watch->folders.count];
            return;
        }
}

static void tell(FolderWatch *watch, const struct inotify_event *event) {
    if (event->mask & IN_Q_OVERFLOW) {
        watch->changed(watch->owner, &(FolderChange){.lost = true});
        return;
    }
    const Folder *folder = find(watch, event->wd);
    if (event->mask & IN_IGNORED)
        forget(watch, event->wd);
    else if (folder && event->len) {
        Buf path = {0};
        buf_printf(&path, "%s/%s", folder->path, event->name);
        FolderChange change = {
            .path = buf_span(&path),
            .folder = event->mask & IN_ISDIR,
            .gone = event->mask & (IN_DELETE | IN_MOVED_FROM),
        };
        watch->changed(watch->owner, &change);
        buf_done(&path);
    }
}

static void on_ready(void *owner, unsigned events) {
    (void)events;
    FolderWatch *watch = owner;
    char *piece = xmalloc(READ_SIZE);
    ssize_t got = read(watch->fd, piece, READ_SIZE);
    for (ssize_t at = 0; at < got;) {
        const struct inotify_event *event = (const struct inotify_event *)(piece + at);
        tell(watch, event);
        at += (ssize_t)(sizeof *event + event->len);
    }
    free(piece);
}

int folder_watch_new(World *world, void (*changed)(void *owner, const FolderChange *change),
                     void *owner, FolderWatch **ret_watch) {
    FolderWatch *watch = xcalloc(1, sizeof *watch);
    watch->changed = changed;
    watch->owner = owner;
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    int error = watch->fd < 0
                    ? -errno
                    : fd_watch_new(world, watch->fd, FD_READABLE, on_ready, watch, &watch->ready);
    if (error < 0) {
        if (watch->fd >= 0)
            close(watch->fd);
        free(watch);
        return error;
    }
    *ret_watch = watch;
    return 0;
}

int folder_watch_add(FolderWatch *watch, const char *folder) {
    int number = inotify_add_watch(watch->fd, folder, CHANGES);
    if (number < 0)
        return -errno;
    if (!find(watch, number)) {
        size_t size = strlen(folder) + 1;
        char *path = xmalloc(size);
        memcpy(path, folder, size);
        *array_push(&watch->folders) = (Folder){number, path};
    }
    return 0;
}

void folder_watch_free(FolderWatch *watch) {
    if (!watch)
        return;
    fd_watch_free(watch->ready);
    close(watch->fd);
    for (size_t i = 0; i < watch->folders.count; i++)
        free(watch->folders.items[i].path);
    array_done(&watch->folders);
    free(watch);
}
