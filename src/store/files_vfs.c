#include "store/files_vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"

typedef struct Vfs {
    sqlite3_vfs vfs;
    Files *files;
} Vfs;

typedef struct VfsFile {
    sqlite3_file base;
    Files *files;
    File *file;
    char path[128];
    bool fresh;     /* its name is not durable yet */
    bool temporary; /* goes when it is closed */
} VfsFile;

static File *file_of(sqlite3_file *base) {
    return ((VfsFile *)base)->file;
}

static int code_of(int r, int otherwise) {
    return r == -ENOSPC ? SQLITE_FULL : r < 0 ? otherwise : SQLITE_OK;
}

static int sync_names(VfsFile *file) {
    char folder[sizeof file->path];
    snprintf(folder, sizeof folder, "%s", file->path);
    *strrchr(folder, '/') = 0;
    return files_sync(file->files, folder);
}

/* ---- a file ---- */

static int vfs_close(sqlite3_file *base) {
    VfsFile *file = (VfsFile *)base;
    file_close(file->file);
    if (file->temporary)
        files_remove(file->files, file->path);
    return SQLITE_OK;
}

static int vfs_read(sqlite3_file *base, void *out, int size, sqlite3_int64 at) {
    int64_t got = file_read(file_of(base), at, out, (size_t)size);
    if (got < 0)
        return SQLITE_IOERR_READ;
    if (got == size)
        return SQLITE_OK;
    memset((char *)out + got, 0, (size_t)(size - got));
    return SQLITE_IOERR_SHORT_READ;
}

static int vfs_write(sqlite3_file *base, const void *bytes, int size, sqlite3_int64 at) {
    return code_of(file_write(file_of(base), at, span(bytes, (size_t)size)), SQLITE_IOERR_WRITE);
}

static int vfs_truncate(sqlite3_file *base, sqlite3_int64 size) {
    return code_of(file_truncate(file_of(base), size), SQLITE_IOERR_TRUNCATE);
}

/* As SQLite's own: the first sync of a new file makes its name durable, too. */
static int vfs_sync(sqlite3_file *base, int flags) {
    VfsFile *file = (VfsFile *)base;
    int r = file_sync(file->file);
    if (r == 0 && file->fresh)
        r = sync_names(file);
    if (r == 0)
        file->fresh = false;
    return r < 0 ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int vfs_size(sqlite3_file *base, sqlite3_int64 *ret) {
    int64_t size = file_size(file_of(base));
    if (size < 0)
        return SQLITE_IOERR_FSTAT;
    *ret = size;
    return SQLITE_OK;
}

static int vfs_lock(sqlite3_file *base, int level) {
    return SQLITE_OK;
}

static int vfs_reserved(sqlite3_file *base, int *ret) {
    *ret = 0;
    return SQLITE_OK;
}

static int vfs_control(sqlite3_file *base, int what, void *argument) {
    return SQLITE_NOTFOUND;
}

static int vfs_sector(sqlite3_file *base) {
    return 512;
}

static int vfs_characteristics(sqlite3_file *base) {
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods METHODS = {
    .iVersion = 1,
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_lock,
    .xCheckReservedLock = vfs_reserved,
    .xFileControl = vfs_control,
    .xSectorSize = vfs_sector,
    .xDeviceCharacteristics = vfs_characteristics,
};

/* ---- the file system ---- */

static int vfs_open(sqlite3_vfs *base, const char *path, sqlite3_file *out, int flags,
                    int *ret_flags) {
    Files *files = ((Vfs *)base)->files;
    VfsFile *file = (VfsFile *)out;
    *file = (VfsFile){.files = files, .temporary = !path};
    uint64_t number = (uintptr_t)out;
    if (path)
        snprintf(file->path, sizeof file->path, "%s", path);
    else
        snprintf(file->path, sizeof file->path, "/temporary/%llx", (unsigned long long)number);
    int r = files_open(files, file->path, FILE_WRITE, &file->file);
    if (r == -ENOENT && (flags & SQLITE_OPEN_CREATE)) {
        file->fresh = true;
        r = files_open(files, file->path, FILE_CREATE, &file->file);
    }
    if (r < 0)
        return SQLITE_CANTOPEN;
    file->base.pMethods = &METHODS;
    if (ret_flags)
        *ret_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *base, const char *path, int sync) {
    VfsFile file = {.files = ((Vfs *)base)->files};
    snprintf(file.path, sizeof file.path, "%s", path);
    int r = files_remove(file.files, path);
    if (r == -ENOENT)
        return SQLITE_IOERR_DELETE_NOENT;
    if (r == 0 && sync)
        r = sync_names(&file);
    return r < 0 ? SQLITE_IOERR_DELETE : SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *base, const char *path, int how, int *ret) {
    File *file;
    int r = files_open(((Vfs *)base)->files, path, FILE_READ, &file);
    if (r < 0 && r != -ENOENT)
        return SQLITE_IOERR_ACCESS;
    *ret = r == 0;
    if (r == 0)
        file_close(file);
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *base, const char *path, int size, char *out) {
    snprintf(out, (size_t)size, "%s", path);
    return SQLITE_OK;
}

static int vfs_random(sqlite3_vfs *base, int size, char *out) {
    memset(out, 7, (size_t)size);
    return size;
}

static int vfs_sleep(sqlite3_vfs *base, int micros) {
    return micros;
}

static int vfs_time(sqlite3_vfs *base, double *ret) {
    *ret = 2461365.5; /* 2026-11-21, as a Julian day */
    return SQLITE_OK;
}

void files_vfs_register(Files *files, const char *name) {
    Vfs *vfs = xcalloc(1, sizeof *vfs);
    vfs->files = files;
    vfs->vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = sizeof(VfsFile),
        .mxPathname = 100,
        .zName = name,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_random,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
    };
    sqlite3_vfs_register(&vfs->vfs, 0);
}

void files_vfs_unregister(const char *name) {
    sqlite3_vfs *vfs = sqlite3_vfs_find(name);
    sqlite3_vfs_unregister(vfs);
    free((Vfs *)vfs);
}
