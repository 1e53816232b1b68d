/* Where a project lies: its files, and the folder of its data; and how its runtime is started. */
#pragma once

#include "base/array.h"
#include "cli/cli.h"
#include "config/config.h"

typedef struct Place {
    ARRAY(char *) files; /* absolute paths; ours */
    const Config *config;
    char *data; /* absolute */
} Place;

/* Reads the files, or the project's file that is found here or above, and makes the data folder.
 * `data` is the option --data; NULL: not given. 0, or an exit code with a
 * printed error. */
int place_open(Place *place, char *const *files, size_t count, const char *data);
void place_done(Place *place);

/* Starts the keeper, which starts the runtime with these files; listening at `listen` where given.
 * Returns when calls are answered. An exit code with a printed error, which shows what the runtime
 * said. */
int place_launch(const Place *place, char *const *listen, size_t listen_count);

/* Whether a keeper works there. */
bool place_is_kept(const Place *place);
