/* Files, as those see them whose bytes must survive: opened, read and written at positions, made
 * durable on purpose. There are two kinds: the file system of the machine, and a simulated disk
 * (simulated_disk.h), which fails, fills up and loses what was not synced.
 *
 * Paths are absolute or relative to the working directory. Calls block, so they belong to an actor
 * or to the start of the program. Files of the machine may be used by any thread, one at a time
 * for each File. Results are 0 or a negative errno; no call is interrupted by signals. */
#pragma once

#include "base/array.h"
#include "base/span.h"

typedef struct Files Files;
typedef struct File File;

/* The machine's. Lives for ever. */
Files *files_real(void);

typedef enum FileMode {
    FILE_READ,   /* what is there */
    FILE_WRITE,  /* what is there, for reading and writing */
    FILE_CREATE, /* made anew, mode 0600; -EEXIST when there is one */
} FileMode;

int files_open(Files *files, const char *path, FileMode mode, File **ret);
void file_close(File *file); /* NULL is ignored */

/* Bytes read: fewer than `size` only where the file ends. */
int64_t file_read(File *file, int64_t at, void *out, size_t size);

/* All of it or an error, after which any part of it may be there. Beyond the end the file grows,
 * with zeroes in between. */
int file_write(File *file, int64_t at, Span bytes);

int64_t file_size(File *file);
int file_truncate(File *file, int64_t size);

/* Content and size are on the disk. After an error nobody knows what is, and a second sync may
 * succeed without having done anything: do not try again, write the bytes anew. */
int file_sync(File *file);

/* Names; they survive a power cut from files_sync of their folder on. A rename takes the place of
 * what bore the name. */
int files_rename(Files *files, const char *from, const char *to);
int files_remove(Files *files, const char *path);
int files_sync(Files *files, const char *folder);

/* Makes a folder, mode 0700; that it exists already is no error. */
int files_folder(Files *files, const char *path);

/* The names in a folder, without "." and "..", in bytewise order, each a C string to be freed. */
typedef ARRAY(char *) FileNames;
int files_list(Files *files, const char *folder, FileNames *ret);
void file_names_done(FileNames *names);
