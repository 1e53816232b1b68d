/* The index of a block of entries: which of its chunks (up to 64) may contain a text or a
 * correlation id. It may name a chunk that does not, never leave one out that does.
 *
 * Runs of three letters and more go into a dictionary with a bit for each chunk, so that any part
 * of a word that has three is found, exactly. Runs of letters and digits that hold a digit (numbers,
 * UUIDs, hashes) would be a dictionary as large as the text; of these a quarter of all pieces of
 * six characters, chosen by their hash, go into a Bloom filter: a text that contains several such
 * pieces is found by those that were chosen. Correlation ids are a sorted list of hashes with their
 * chunks. */
#pragma once

#include "base/buf.h"

#define WORDS_CHUNKS 64

typedef struct Words Words;

Words *words_new(void);
void words_free(Words *words);
/* Empties it, for the next block. */
void words_clear(Words *words);

void words_add(Words *words, unsigned chunk, Span text);
void words_add_id(Words *words, unsigned chunk, Span id);

/* Appends the index as bytes (docs/logs.md). Same content, same bytes. */
void words_write(Words *words, Buf *out);

/* The index, read in place. */
typedef struct WordsView {
    Span dictionary;     /* "\nword\nword\n" */
    const char *offsets; /* uint32_t of each word's first letter, ascending */
    const char *chunks;  /* uint64_t of each word */
    uint32_t count;
    uint64_t open; /* chunks of which not all words are in the dictionary */
    Span bloom;
    const char *ids; /* uint32_t of each: 26 bits of hash, 6 of chunk; ascending */
    uint32_t id_count;
} WordsView;

/* False when the bytes are not an index. They live as long as the view, unaligned as they may
 * be. */
bool words_view(Span bytes, WordsView *ret);

/* A bit for each chunk that may have the text, which is in lower case, or the id. */
uint64_t words_text(const WordsView *view, Span text);
uint64_t words_id(const WordsView *view, Span id);
