/* All commands: what main, completion and the manual go by. */
#pragma once

#include "cli/cli.h"

#define COMMAND_GROUP_MAX 16

typedef struct CommandGroup {
    const char *title;
    const Command *commands[COMMAND_GROUP_MAX]; /* ending with NULL */
} CommandGroup;

/* Ends with a group without a title. */
extern const CommandGroup COMMAND_GROUPS[];
