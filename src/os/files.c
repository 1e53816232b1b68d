#include "os/files_ops.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "base/memory.h"

/* ---- whatever the kind ---- */

int files_open(Files *files, const char *path, FileMode mode, File **ret) {
    return files->open(files, path, mode, ret);
}

int files_rename(Files *files, const char *from, const char *to) {
    return files->rename(files, from, to);
}

int files_remove(Files *files, const char *path) {
    return files->remove(files, path);
}

int files_sync(Files *files, const char *folder) {
    return files->sync(files, folder);
}

int files_folder(Files *files, const char *path) {
    return files->folder(files, path);
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int files_list(Files *files, const char *folder, FileNames *ret) {
    FileNames names = {0};
    int r = files->list(files, folder, &names);
    if (r < 0) {
        file_names_done(&names);
        return r;
    }
    if (names.count)
        qsort(names.items, names.count, sizeof *names.items, by_name);
    *ret = names;
    return 0;
}

void file_names_done(FileNames *names) {
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    array_done(names);
}

void file_close(File *file) {
    if (file)
        file->ops->close(file);
}

int64_t file_read(File *file, int64_t at, void *out, size_t size) {
    return file->ops->read(file, at, out, size);
}

int file_write(File *file, int64_t at, Span bytes) {
    return file->ops->write(file, at, bytes);
}

int64_t file_size(File *file) {
    return file->ops->size(file);
}

int file_truncate(File *file, int64_t size) {
    return file->ops->truncate(file, size);
}

int file_sync(File *file) {
    return file->ops->sync(file);
}

/* ---- the machine's ---- */

typedef struct RealFile {
    File file;
    int fd;
} RealFile;

static int fd_of(File *file) {
    return CONTAINER(file, RealFile, file)->fd;
}

static int result(int r) {
    return r < 0 ? -errno : 0;
}

static void real_close(File *file) {
    close(fd_of(file));
    free(CONTAINER(file, RealFile, file));
}

static int64_t real_read(File *file, int64_t at, void *out, size_t size) {
    size_t done = 0;
    while (done < size) {
        ssize_t n = pread(fd_of(file), (char *)out + done, size - done, at + (int64_t)done);
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return (int64_t)done;
}

static int real_write(File *file, int64_t at, Span bytes) {
    for (size_t done = 0; done < bytes.len;) {
        ssize_t n = pwrite(fd_of(file), bytes.ptr + done, bytes.len - done, at + (int64_t)done);
        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int64_t real_size(File *file) {
    struct stat stat;
    return fstat(fd_of(file), &stat) < 0 ? -errno : stat.st_size;
}

static int real_truncate(File *file, int64_t size) {
    return result(ftruncate(fd_of(file), size));
}

static int real_sync(File *file) {
    return result(fdatasync(fd_of(file)));
}

static const FileOps REAL_FILE = {
    real_close, real_read, real_write, real_size, real_truncate, real_sync,
};

static int real_open(Files *files, const char *path, FileMode mode, File **ret) {
    static const int FLAGS[] = {
        [FILE_READ] = O_RDONLY,
        [FILE_WRITE] = O_RDWR,
        [FILE_CREATE] = O_RDWR | O_CREAT | O_EXCL,
    };
    int fd = open(path, FLAGS[mode] | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    RealFile *file = xcalloc(1, sizeof *file);
    *file = (RealFile){{&REAL_FILE}, fd};
    *ret = &file->file;
    return 0;
}

static int real_rename(Files *files, const char *from, const char *to) {
    return result(rename(from, to));
}

static int real_remove(Files *files, const char *path) {
    return result(unlink(path));
}

static int real_sync_folder(Files *files, const char *folder) {
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = result(fsync(fd));
    close(fd);
    return r;
}

static int real_folder(Files *files, const char *path) {
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int real_list(Files *files, const char *folder, FileNames *ret) {
    DIR *open = opendir(folder);
    if (!open)
        return -errno;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(open);
        if (!entry)
            break;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            char *name = strdup(entry->d_name);
            if (!name)
                out_of_memory();
            *array_push(ret) = name;
        }
    }
    int r = -errno;
    closedir(open);
    return r;
}

Files *files_real(void) {
    static const Files REAL = {
        real_open, real_rename, real_remove, real_sync_folder, real_folder, real_list,
    };
    return (Files *)&REAL; /* nothing ever writes to it */
}
