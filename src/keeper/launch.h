/* Starting a keeper, and talking to one without a loop: private to src/keeper. */
#pragma once

#include "keeper/channel.h"
#include "keeper/keeper_client.h"

/* Starts the keeper program for a data folder, as a daemon. Its first line, "ok\n" or why not, comes
 * from `ret_ready`, a pipe that is non-blocking and the caller's. The descriptor is inherited by
 * nobody. Takes about a millisecond. */
int launch_keeper(const char *folder, int *ret_ready);
/* Makes of that line: 0, -EBUSY (somebody else keeps that folder), or -EPROTO with `report`. */
int launch_result(Span line, Buf *report);

/* Starts it and waits for that line. */
int launch_waiting(const char *folder, Buf *report);
/* Whether a keeper that was killed has left records of processes. */
bool launch_has_left(const char *folder);

/* Connects to the keeper of a folder: -ENOENT, -ECONNREFUSED when there is none. The socket
 * blocks. */
int launch_connect(const char *folder, int *ret_socket);

/* Whether somebody keeps that folder: its lock is taken. */
bool launch_is_locked(const char *folder);

void launch_add_runtime(Buf *out, const KeeperRuntime *runtime, bool start);
