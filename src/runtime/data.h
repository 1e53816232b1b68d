/* The data folder: where a runtime keeps what is its own, ".muster". Names are those of
 * docs/reference: "address", "token", "key". Only its owner may look into it. */
#pragma once

#include "base/buf.h"
#include "os/world.h"
#include "rpc/access.h"

#define DATA_FOLDER  ".muster"
#define DATA_ADDRESS "address" /* where the running runtime is reached */
#define DATA_PASSING "passing" /* there: the folder goes with the runtime that it was made for */
#define DATA_TOKEN   "token"   /* one that may do everything */

/* Makes the folder (mode 0700) when it is not there; `ret_path` is its absolute path. Negative
 * errno; -EPERM: it is not ours alone, so that others could read or change what it holds. */
int data_open(const char *folder, Buf *ret_path);
/* What such an error says of the folder. */
const char *data_open_text(int error);

/* The key that tokens are signed with, made when it is not there, or, with *ret_replaced, when what
 * is there is none: tokens that were given out before are void then. Negative errno. */
int data_key(const char *folder, World *world, AccessPolicy *policy, bool *ret_replaced);

/* Writes a file of the folder whole or not at all; mode 0600. With `durable` it survives a power cut,
 * which costs milliseconds: for what is not written anew at each start. */
int data_write(const char *folder, const char *name, Span content, bool durable);
/* Appends the content. */
int data_read(const char *folder, const char *name, Buf *out);
void data_remove(const char *folder, const char *name);
/* Removes the folder with all that is in it, where it has DATA_PASSING. */
void data_remove_passing(const char *folder);
