#include "services/logs/words.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/memory.h"
#include "services/logs/fold.h"

#define MAGIC      UINT32_C(0x3158444d) /* "MDX1" */
#define WORD_MAX   32                   /* letters; a longer run (base64) stands for any word */
#define COUNT_MAX  16384                /* words of a block; beyond, chunks count as having all */
#define GRAM       6                    /* characters of a piece */
#define GRAM_EACH  4                    /* one of so many pieces is chosen */
#define GRAM_MAX   (1 << 20)
#define BLOOM_BITS 8 /* for each piece, with so many probes: 2.4 % are false */
#define PROBES     4
#define SLOTS      (4 * COUNT_MAX)

typedef struct Word {
    uint32_t offset; /* in the dictionary */
    uint32_t length;
    uint32_t hash;
    uint64_t chunks;
} Word;

struct Words {
    Buf dictionary;
    ARRAY(Word) words;
    uint32_t *slots; /* index + 1 into words; open addressing */
    uint64_t open;
    ARRAY(uint64_t) grams; /* hash of a piece and its chunk */
    ARRAY(uint32_t) ids;
};

Words *words_new(void) {
    Words *words = xcalloc(1, sizeof *words);
    words->slots = xcalloc(SLOTS, sizeof *words->slots);
    buf_add_char(&words->dictionary, '\n');
    return words;
}

void words_free(Words *words) {
    if (!words)
        return;
    buf_done(&words->dictionary);
    array_done(&words->words);
    array_done(&words->grams);
    array_done(&words->ids);
    free(words->slots);
    free(words);
}

void words_clear(Words *words) {
    words->dictionary.len = 1;
    words->words.count = words->grams.count = words->ids.count = 0;
    words->open = 0;
    memset(words->slots, 0, SLOTS * sizeof *words->slots);
}

/* ---- characters ---- */

enum { OTHER, DIGIT, LETTER };

/* What a byte is, and in lower case. Bytes beyond ASCII divide words, as blanks do. */
static inline unsigned class_of(unsigned char c) {
    return (unsigned)((c | 0x20) - 'a') < 26 ? LETTER : (unsigned)(c - '0') < 10 ? DIGIT : OTHER;
}

static inline uint32_t mix(uint32_t hash, unsigned char c) {
    return (hash ^ c) * UINT32_C(0x01000193);
}

/* Of a piece of GRAM characters, in lower case. */
static uint64_t gram_hash(const char *at) {
    uint64_t bytes = 0;
    for (unsigned i = 0; i < GRAM; i++)
        bytes = bytes << 8 | (unsigned char)fold_char(at[i]);
    bytes *= UINT64_C(0x9e3779b97f4a7c15);
    bytes ^= bytes >> 29;
    bytes *= UINT64_C(0xbf58476d1ce4e5b9);
    return bytes ^ bytes >> 32;
}

static inline bool is_chosen(uint64_t hash) {
    return hash % GRAM_EACH == 0;
}

static inline uint64_t with_chunk(uint64_t hash, unsigned chunk) {
    hash = (hash ^ (chunk + 1)) * UINT64_C(0x94d049bb133111eb);
    return hash ^ hash >> 31;
}

/* ---- building ---- */

static void add_word(Words *words, unsigned chunk, const char *at, size_t length, uint32_t hash) {
    uint64_t bit = UINT64_C(1) << chunk;
    if (length > WORD_MAX) {
        words->open |= bit;
        return;
    }
    uint32_t slot = (hash ^ hash >> 15) % SLOTS;
    for (; words->slots[slot]; slot = (slot + 1) % SLOTS) {
        Word *word = &words->words.items[words->slots[slot] - 1];
        if (word->hash != hash || word->length != length)
            continue;
        const char *have = words->dictionary.ptr + word->offset;
        size_t i = 0;
        while (i < length && have[i] == fold_char(at[i]))
            i++;
        if (i == length) {
            word->chunks |= bit;
            return;
        }
    }
    if (words->words.count == COUNT_MAX) {
        words->open |= bit;
        return;
    }
    *array_push(&words->words) =
        (Word){(uint32_t)words->dictionary.len, (uint32_t)length, hash, bit};
    words->slots[slot] = (uint32_t)words->words.count;
    char *out = buf_reserve(&words->dictionary, length + 1);
    for (size_t i = 0; i < length; i++)
        out[i] = fold_char(at[i]);
    out[length] = '\n';
    words->dictionary.len += length + 1;
}

static void add_grams(Words *words, unsigned chunk, const char *at, size_t length) {
    for (size_t i = 0; i + GRAM <= length; i++) {
        uint64_t hash = gram_hash(at + i);
        if (!is_chosen(hash))
            continue;
        if (words->grams.count == GRAM_MAX)
            words->open |= UINT64_C(1) << chunk;
        else
            *array_push(&words->grams) = with_chunk(hash, chunk);
    }
}

void words_add(Words *words, unsigned chunk, Span text) {
    assert(chunk < WORDS_CHUNKS);
    const char *at = text.ptr, *end = span_end(text);
    while (at < end) {
        while (at < end && class_of((unsigned char)*at) == OTHER)
            at++;
        const char *run = at;
        bool digit = false;
        while (at < end) {
            unsigned class = class_of((unsigned char)*at);
            if (class == OTHER)
                break;
            if (class == DIGIT) {
                digit = true;
                at++;
                continue;
            }
            const char *word = at;
            uint32_t hash = UINT32_C(0x811c9dc5);
            for (; at < end && class_of((unsigned char)*at) == LETTER; at++)
                hash = mix(hash, (unsigned char)*at | 0x20);
            add_word(words, chunk, word, (size_t)(at - word), hash);
        }
        if (digit && at - run >= GRAM)
            add_grams(words, chunk, run, (size_t)(at - run));
    }
}

static uint32_t id_hash(Span id) {
    return (uint32_t)(hash_bytes(id, 1) >> 32) & ~UINT32_C(63);
}

void words_add_id(Words *words, unsigned chunk, Span id) {
    *array_push(&words->ids) = id_hash(id) | chunk;
}

/* ---- as bytes: little-endian, in the order of WordsHeader ---- */

typedef struct WordsHeader {
    uint32_t magic;
    uint32_t count;      /* words */
    uint32_t dictionary; /* bytes */
    uint32_t bloom;      /* bytes, a power of two, or 0 */
    uint32_t ids;
    uint32_t reserved;
    uint64_t open;
} WordsHeader;

static void put32(Buf *out, uint32_t value) {
    value = htole32(value);
    buf_add(out, span(&value, sizeof value));
}

static void put64(Buf *out, uint64_t value) {
    value = htole64(value);
    buf_add(out, span(&value, sizeof value));
}

static uint32_t get32(const char *at, size_t index) {
    uint32_t value;
    memcpy(&value, at + index * sizeof value, sizeof value);
    return le32toh(value);
}

static uint64_t get64(const char *at, size_t index) {
    uint64_t value;
    memcpy(&value, at + index * sizeof value, sizeof value);
    return le64toh(value);
}

static inline size_t probe(uint64_t hash, unsigned n, size_t bytes) {
    return (size_t)((hash >> (n * 8)) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (bytes * 8 - 1);
}

static size_t bloom_bytes(size_t grams) {
    size_t bytes = 64;
    while (bytes * 8 < grams * BLOOM_BITS)
        bytes *= 2;
    return grams ? bytes : 0;
}

static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int by_long_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Sorts, and leaves one of equal ones. */
static void tidy(Words *words) {
    if (words->ids.count)
        qsort(words->ids.items, words->ids.count, sizeof *words->ids.items, by_number);
    size_t kept = 0;
    for (size_t i = 0; i < words->ids.count; i++)
        if (!kept || words->ids.items[kept - 1] != words->ids.items[i])
            words->ids.items[kept++] = words->ids.items[i];
    words->ids.count = kept;
    if (words->grams.count)
        qsort(words->grams.items, words->grams.count, sizeof *words->grams.items, by_long_number);
    kept = 0;
    for (size_t i = 0; i < words->grams.count; i++)
        if (!kept || words->grams.items[kept - 1] != words->grams.items[i])
            words->grams.items[kept++] = words->grams.items[i];
    words->grams.count = kept;
}

void words_write(Words *words, Buf *out) {
    tidy(words);
    size_t bloom = bloom_bytes(words->grams.count);
    put32(out, MAGIC);
    put32(out, (uint32_t)words->words.count);
    put32(out, (uint32_t)words->dictionary.len);
    put32(out, (uint32_t)bloom);
    put32(out, (uint32_t)words->ids.count);
    put32(out, 0);
    put64(out, words->open);
    for (size_t i = 0; i < words->words.count; i++)
        put64(out, words->words.items[i].chunks);
    for (size_t i = 0; i < words->words.count; i++)
        put32(out, words->words.items[i].offset);
    for (size_t i = 0; i < words->ids.count; i++)
        put32(out, words->ids.items[i]);
    buf_add(out, buf_span(&words->dictionary));
    unsigned char *bits = memset(buf_reserve(out, bloom + 1), 0, bloom);
    for (size_t i = 0; i < words->grams.count; i++)
        for (unsigned n = 0; n < PROBES; n++) {
            size_t bit = probe(words->grams.items[i], n, bloom);
            bits[bit / 8] |= (unsigned char)(1 << bit % 8);
        }
    out->len += bloom;
}

bool words_view(Span bytes, WordsView *ret) {
    WordsHeader header;
    if (bytes.len < sizeof header || get32(bytes.ptr, 0) != MAGIC)
        return false;
    header.count = get32(bytes.ptr, 1);
    header.dictionary = get32(bytes.ptr, 2);
    header.bloom = get32(bytes.ptr, 3);
    header.ids = get32(bytes.ptr, 4);
    header.open = get64(bytes.ptr + 24, 0);
    uint64_t size = sizeof header + (uint64_t)header.count * 12 + (uint64_t)header.ids * 4 +
                    header.dictionary + header.bloom;
    if (size != bytes.len || (header.bloom & (header.bloom - 1)) ||
        (header.bloom && header.bloom < 64))
        return false;
    ret->count = header.count;
    ret->open = header.open;
    ret->chunks = bytes.ptr + sizeof header;
    ret->offsets = ret->chunks + (size_t)header.count * 8;
    ret->ids = ret->offsets + (size_t)header.count * 4;
    ret->id_count = header.ids;
    ret->dictionary = span(ret->ids + (size_t)header.ids * 4, header.dictionary);
    ret->bloom = span(span_end(ret->dictionary), header.bloom);
    return true;
}

/* ---- looking up ---- */

/* Chunks of all words that contain `part`: "\nerr" those that begin with "err", and so on. */
static uint64_t find_part(const WordsView *view, Span part) {
    uint64_t chunks = view->open;
    const char *at = view->dictionary.ptr, *end = span_end(view->dictionary);
    while ((at = memmem(at, (size_t)(end - at), part.ptr, part.len))) {
        uint32_t offset = (uint32_t)(at - view->dictionary.ptr) + (*at == '\n');
        /* The last word that begins at or before the place. */
        size_t low = 0, high = view->count;
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (get32(view->offsets, middle) <= offset)
                low = middle + 1;
            else
                high = middle;
        }
        if (low)
            chunks |= get64(view->chunks, low - 1);
        at++;
    }
    return chunks;
}

static uint64_t find_word(const WordsView *view, const char *at, size_t length, bool begins,
                          bool ends) {
    char part[WORD_MAX + 2];
    size_t len = 0;
    if (length > WORD_MAX)
        return view->open;
    if (begins)
        part[len++] = '\n';
    memcpy(part + len, at, length);
    len += length;
    if (ends)
        part[len++] = '\n';
    return find_part(view, span(part, len));
}

static uint64_t find_gram(const WordsView *view, uint64_t hash) {
    if (!view->bloom.len)
        return view->open;
    uint64_t chunks = view->open;
    for (unsigned chunk = 0; chunk < WORDS_CHUNKS; chunk++) {
        uint64_t one = with_chunk(hash, chunk);
        unsigned n = 0;
        for (; n < PROBES; n++) {
            size_t bit = probe(one, n, view->bloom.len);
            if (!(view->bloom.ptr[bit / 8] & 1 << bit % 8))
                break;
        }
        if (n == PROBES)
            chunks |= UINT64_C(1) << chunk;
    }
    return chunks;
}

uint64_t words_text(const WordsView *view, Span text) {
    uint64_t chunks = UINT64_MAX;
    const char *at = text.ptr, *end = span_end(text);
    while (at < end && chunks != view->open) {
        while (at < end && class_of((unsigned char)*at) == OTHER)
            at++;
        const char *run = at;
        bool digit = false;
        while (at < end && class_of((unsigned char)*at) != OTHER) {
            if (class_of((unsigned char)*at) == DIGIT) {
                digit = true;
                at++;
                continue;
            }
            const char *word = at;
            while (at < end && class_of((unsigned char)*at) == LETTER)
                at++;
            chunks &= find_word(view, word, (size_t)(at - word), word > text.ptr, at < end);
        }
        for (; digit && at - run >= GRAM; run++) {
            uint64_t hash = gram_hash(run);
            if (is_chosen(hash))
                chunks &= find_gram(view, hash);
        }
    }
    return chunks;
}

uint64_t words_id(const WordsView *view, Span id) {
    uint32_t hash = id_hash(id);
    size_t low = 0, high = view->id_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (get32(view->ids, middle) < hash)
            low = middle + 1;
        else
            high = middle;
    }
    uint64_t chunks = 0;
    for (; low < view->id_count && (get32(view->ids, low) & ~UINT32_C(63)) == hash; low++)
        chunks |= UINT64_C(1) << (get32(view->ids, low) & 63);
    return chunks;
}
