/* What the two kinds of Files share: private to src/os. */
#pragma once

#include "os/files.h"

typedef struct FileOps {
    void (*close)(File *);
    int64_t (*read)(File *, int64_t at, void *out, size_t size);
    int (*write)(File *, int64_t at, Span bytes);
    int64_t (*size)(File *);
    int (*truncate)(File *, int64_t size);
    int (*sync)(File *);
} FileOps;

/* Implementations embed these first. */
struct File {
    const FileOps *ops;
};

struct Files {
    int (*open)(Files *, const char *path, FileMode mode, File **ret);
    int (*rename)(Files *, const char *from, const char *to);
    int (*remove)(Files *, const char *path);
    int (*sync)(Files *, const char *folder);
    int (*folder)(Files *, const char *path);
    int (*list)(Files *, const char *folder, FileNames *ret); /* in any order */
};
