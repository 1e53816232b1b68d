/* Hearing of changes in folders (inotify(7)): of each folder that is watched, files that are made,
 * written, renamed or removed. Folders below are the owner's to add, as he hears of them. */
#pragma once

#include "os/world.h"

typedef struct FolderWatch FolderWatch;

typedef struct FolderChange {
    Span path;   /* absolute; valid during the call */
    bool folder; /* it is one */
    bool gone;   /* it was removed, or renamed to something else */
    bool lost;   /* no more than this is known: changes came too fast; `path` is empty */
} FolderChange;

/* -EMFILE and its like; -ENOTSUP in a simulation. */
int folder_watch_new(World *world, void (*changed)(void *owner, const FolderChange *change),
                     void *owner, FolderWatch **ret_watch);
/* Adds a folder by its absolute path; again: no matter. -ENOENT, -ENOTDIR, -EACCES; -ENOSPC when
 * the machine allows no more (fs.inotify.max_user_watches). */
int folder_watch_add(FolderWatch *watch, const char *folder);
void folder_watch_free(FolderWatch *watch); /* NULL is ignored */
