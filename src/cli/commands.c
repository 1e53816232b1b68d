/* The table of commands, in the groups and order in which --help shows them. */
#include "cli/commands.h"

#include <stddef.h>

const CommandGroup COMMAND_GROUPS[] = {
    {"A project",
     {&COMMAND_INIT, &COMMAND_UP, &COMMAND_DOWN, &COMMAND_PS, &COMMAND_STATUS, &COMMAND_START,
      &COMMAND_STOP, &COMMAND_RESTART, &COMMAND_SCALE, &COMMAND_SIGNAL, &COMMAND_WAIT, &COMMAND_RUN,
      &COMMAND_ATTACH}},
    {"What happens",
     {&COMMAND_LOGS, &COMMAND_EVENTS, &COMMAND_TOP, &COMMAND_LINK, &COMMAND_EXPORT}},
    {"Any gRPC or Connect server", {&COMMAND_CALL, &COMMAND_DESCRIBE}},
    {"The runtime and this machine",
     {&COMMAND_SERVE, &COMMAND_CHECK, &COMMAND_COMPONENTS, &COMMAND_DOCTOR, &COMMAND_UNIT,
      &COMMAND_COMPLETION, &COMMAND_MAN}},
    {NULL, {NULL}},
};
