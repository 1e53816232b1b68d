/* How this very program was started: what the keeper does again when it dies. */
#pragma once

#include "keeper/keeper_client.h"

/* Reads it from /proc; its output then goes to `log`. Free it with self_done. Negative errno. */
int self_describe(const char *log, KeeperRuntime *ret_runtime);
void self_done(KeeperRuntime *runtime);
