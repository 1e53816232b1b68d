/* JSON documents for a call, one after the other: from the command line, from "@FILE", from "-"
 * (stdin). Documents of a file need nothing between them, and may span lines. A thread reads, so
 * that the loop goes on while nothing comes. */
#pragma once

#include "base/buf.h"
#include "os/world.h"

typedef struct Input Input;

/* `arrived` is called from the loop when input_next is worth asking again. The array of arguments
 * outlives the Input, their texts the program: a thread stuck in reading may still name one. */
Input *input_open(World *world, char *const *arguments, size_t count, void (*arrived)(void *owner),
                  void *owner);
/* What is still to come is not read. */
void input_close(Input *input);

typedef enum InputState { INPUT_DOCUMENT, INPUT_LATER, INPUT_END, INPUT_BROKEN } InputState;

/* The next document, appended to `ret`. INPUT_BROKEN: *ret is what was wrong, and nothing more
 * comes. */
InputState input_next(Input *input, Buf *ret);

/* ---- the cutting of a text into documents ---- */

typedef struct JsonCutter {
    size_t depth;
    bool in_string, escaped, in_word;
} JsonCutter;

/* How many of the bytes belong to the document under way; *ret_complete tells whether it ends
 * there. Blanks before a document belong to none and are skipped by the caller. */
size_t json_cut(JsonCutter *cutter, Span bytes, bool *ret_complete);
