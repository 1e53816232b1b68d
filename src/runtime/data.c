#include "runtime/data.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE "key"

static int path_of(char *out, size_t room, const char *folder, const char *name) {
    return (size_t)snprintf(out, room, "%s/%s", folder, name) < room ? 0 : -ENAMETOOLONG;
}

int data_open(const char *folder, Buf *ret_path) {
    struct stat about;
    if ((mkdir(folder, 0700) < 0 && errno != EEXIST) || stat(folder, &about) < 0)
        return -errno;
    if (!S_ISDIR(about.st_mode))
        return -ENOTDIR;
    if (about.st_uid != geteuid() || about.st_mode & (S_IWGRP | S_IWOTH))
        return -EPERM;
    char *path = realpath(folder, NULL);
    if (!path)
        return -errno;
    buf_add(ret_path, span_of(path));
    free(path);
    return 0;
}

const char *data_open_text(int error) {
    return error == -EPERM ? "it belongs to another user, or others may write into it (chmod go-w)"
                           : strerror(-error);
}

static int write_all(int fd, Span content) {
    while (content.len) {
        ssize_t written = write(fd, content.ptr, content.len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        content = span_skip(content, (size_t)written);
    }
    return 0;
}

int data_write(const char *folder, const char *name, Span content, bool durable) {
    char path[4096], fresh[4096 + 8];
    int result = path_of(path, sizeof path, folder, name);
    if (result < 0)
        return result;
    snprintf(fresh, sizeof fresh, "%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    result = write_all(fd, content);
    if (result == 0 && durable && fsync(fd) < 0)
        result = -errno;
    close(fd);
    if (result == 0 && rename(fresh, path) < 0)
        result = -errno;
    if (result < 0)
        unlink(fresh);
    return result;
}

int data_read(const char *folder, const char *name, Buf *out) {
    char path[4096];
    int result = path_of(path, sizeof path, folder, name);
    if (result < 0)
        return result;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t got;
    while ((got = read(fd, buf_reserve(out, 4096), 4096)) > 0)
        out->len += (size_t)got;
    result = got < 0 ? -errno : 0;
    close(fd);
    return result;
}

void data_remove(const char *folder, const char *name) {
    char path[4096];
    if (path_of(path, sizeof path, folder, name) == 0)
        unlink(path);
}

/* The data of a runtime lie side by side, or a folder below. */
static void remove_folder(const char *path, int depth) {
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        char below[4400];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (unlink(below) < 0 && depth < 8)
            remove_folder(below, depth + 1);
    }
    if (folder)
        closedir(folder);
    rmdir(path);
}

void data_remove_passing(const char *folder) {
    char path[4096];
    if (path_of(path, sizeof path, folder, DATA_PASSING) == 0 && access(path, F_OK) == 0)
        remove_folder(folder, 0);
}

int data_key(const char *folder, World *world, AccessPolicy *policy, bool *ret_replaced) {
    Buf key = {0};
    int result = data_read(folder, KEY_FILE, &key);
    *ret_replaced = result == 0 && key.len != TOKEN_KEY_SIZE;
    if (result == 0 && key.len == TOKEN_KEY_SIZE) {
        memcpy(policy->key, key.ptr, TOKEN_KEY_SIZE);
    } else if (result == 0 || result == -ENOENT) {
        world_random(world, policy->key, TOKEN_KEY_SIZE);
        result = data_write(folder, KEY_FILE, span(policy->key, TOKEN_KEY_SIZE), true);
    }
    buf_done(&key);
    return result;
}
