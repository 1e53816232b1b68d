#include "services/logs/words.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/memory.h"

#define MAGIC      UINT32_C(0x3158444d) /* "MDX1" */
#define WORD_MIN   3                    /* letters; shorter ones are everywhere, as in hashes */
#define WORD_MAX   32                   /* letters; a longer run (base64) stands for any word */
#define COUNT_MAX  16384                /* words of a block; beyond, chunks count as having all */
#define GRAM       6                    /* characters of a piece */
#define GRAM_EACH  4                    /* one of so many pieces is chosen */
#define GRAM_MAX   (1 << 20)
#define BLOOM_BITS 8 /* for each piece, with so many probes: 2.4 % are false */
#define PROBES     4
#define SLOTS      (4 * COUNT_MAX)
#define LAST       256

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
    /* Those that came last, since the same identifiers stand in many entries in a row: few of them
     * are added, and have to be sorted, twice. */
    uint64_t last_grams[LAST];
    uint32_t last_ids[LAST];
};

/* Zero stands for nothing, except in the first place, where it might belong. */
static void forget_last(Words *words) {
    memset(words->last_grams, 0, sizeof words->last_grams);
    memset(words->last_ids, 0, sizeof words->last_ids);
    words->last_grams[0] = UINT64_MAX;
    words->last_ids[0] = UINT32_MAX;
}

Words *words_new(void) {
    Words *words = xcalloc(1, sizeof *words);
    forget_last(words);
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
    forget_last(words);
}

/* ---- characters ---- */

enum { OTHER, DIGIT, LETTER };

/* What a byte is. Bytes beyond ASCII divide words, as blanks do. */
static const uint8_t CLASSES[256] = {
    ['0' ... '9'] = DIGIT,
    ['A' ... 'Z'] = LETTER,
    ['a' ... 'z'] = LETTER,
};

static inline unsigned class_of(char c) {
    return CLASSES[(unsigned char)c];
}

/* Letters and digits in lower case, eight at a time: digits have that bit already. */
#define LOWER UINT64_C(0x2020202020202020)

/* Up to eight letters, in lower case and with zeroes behind them, as one number. Nothing beyond
 * `end` is read. */
static inline uint64_t letters(const char *at, size_t count, const char *end) {
    uint64_t bytes = 0;
    if (count >= 8 || end - at >= 8) {
        memcpy(&bytes, at, 8);
        bytes = htole64(bytes | LOWER);
        return count >= 8 ? bytes : bytes & ((UINT64_C(1) << 8 * count) - 1);
    }
    for (size_t i = 0; i < count; i++)
        bytes |= (uint64_t)((unsigned char)at[i] | 0x20) << 8 * i;
    return bytes;
}

#define PIECE_MASK ((UINT64_C(1) << 8 * GRAM) - 1)

/* The last GRAM characters, in lower case, once another letter or digit has come. */
static inline uint64_t slide(uint64_t piece, char c) {
    return (piece << 8 | (unsigned char)(c | 0x20)) & PIECE_MASK;
}

static inline uint64_t gram_hash(uint64_t piece) {
    piece *= UINT64_C(0x9e3779b97f4a7c15);
    piece ^= piece >> 29;
    piece *= UINT64_C(0xbf58476d1ce4e5b9);
    return piece ^ piece >> 32;
}

static inline bool is_chosen(uint64_t hash) {
    return hash % GRAM_EACH == 0;
}

static inline uint64_t with_chunk(uint64_t hash, unsigned chunk) {
    hash = (hash ^ (chunk + 1)) * UINT64_C(0x94d049bb133111eb);
    return hash ^ hash >> 31;
}

/* ---- building ---- */

/* A run of letters, in lower case: zeroes behind it. */
typedef struct Key {
    uint64_t parts[WORD_MAX / 8];
    size_t length;
} Key;

static inline uint32_t key_of(const char *at, size_t length, const char *end, Key *ret) {
    uint64_t hash = length;
    ret->length = length;
    for (size_t i = 0; i * 8 < length; i++) {
        ret->parts[i] = letters(at + i * 8, length - i * 8, end);
        hash = (hash ^ ret->parts[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return (uint32_t)hash;
}

static inline bool is_key(const Words *words, const Word *word, const Key *key) {
    const char *at = words->dictionary.ptr + word->offset;
    const char *end = words->dictionary.ptr + words->dictionary.len;
    for (size_t i = 0; i * 8 < key->length; i++)
        if (letters(at + i * 8, key->length - i * 8, end) != key->parts[i])
            return false;
    return true;
}

static void add_word(Words *words, unsigned chunk, const char *at, size_t length, const char *end) {
    uint64_t bit = UINT64_C(1) << chunk;
    if (length < WORD_MIN)
        return;
    if (length > WORD_MAX) {
        words->open |= bit;
        return;
    }
    Key key;
    uint32_t hash = key_of(at, length, end, &key);
    uint32_t slot = hash % SLOTS;
    for (; words->slots[slot]; slot = (slot + 1) % SLOTS) {
        Word *word = &words->words.items[words->slots[slot] - 1];
        if (word->hash == hash && word->length == length && is_key(words, word, &key)) {
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
        out[i] = (char)(at[i] | 0x20);
    out[length] = '\n';
    words->dictionary.len += length + 1;
}

static void add_gram(Words *words, unsigned chunk, uint64_t hash) {
    uint64_t one = with_chunk(hash, chunk);
    if (words->last_grams[one % LAST] == one)
        return;
    words->last_grams[one % LAST] = one;
    if (words->grams.count == GRAM_MAX)
        words->open |= UINT64_C(1) << chunk;
    else
        *array_push(&words->grams) = one;
}

static void add_grams(Words *words, unsigned chunk, const char *at, size_t length) {
    uint64_t piece = 0;
    for (size_t i = 0; i < length; i++) {
        piece = slide(piece, at[i]);
        uint64_t hash = gram_hash(piece);
        if (i + 1 >= GRAM && is_chosen(hash))
            add_gram(words, chunk, hash);
    }
}

void words_add(Words *words, unsigned chunk, Span text) {
    assert(chunk < WORDS_CHUNKS);
    const char *at = text.ptr, *end = span_end(text);
    while (at < end) {
        while (at < end && class_of(*at) == OTHER)
            at++;
        const char *run = at;
        bool digit = false;
        for (unsigned class; at < end && (class = class_of(*at)) != OTHER;) {
            if (class == DIGIT) {
                digit = true;
                at++;
                continue;
            }
            const char *word = at;
            while (at < end && class_of(*at) == LETTER)
                at++;
            add_word(words, chunk, word, (size_t)(at - word), end);
        }
        if (digit && at - run >= GRAM)
            add_grams(words, chunk, run, (size_t)(at - run));
    }
}

static uint32_t id_hash(Span id) {
    return (uint32_t)(hash_bytes(id, 1) >> 32) & ~UINT32_C(63);
}

void words_add_id(Words *words, unsigned chunk, Span id) {
    uint32_t one = id_hash(id) | chunk, *last = &words->last_ids[(one >> 6) % LAST];
    if (*last == one)
        return;
    *last = one;
    *array_push(&words->ids) = one;
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
    if (length < WORD_MIN)
        return UINT64_MAX;
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
        while (at < end && class_of(*at) == OTHER)
            at++;
        const char *run = at;
        bool digit = false;
        while (at < end && class_of(*at) != OTHER) {
            if (class_of(*at) == DIGIT) {
                digit = true;
                at++;
                continue;
            }
            const char *word = at;
            while (at < end && class_of(*at) == LETTER)
                at++;
            chunks &= find_word(view, word, (size_t)(at - word), word > text.ptr, at < end);
        }
        uint64_t piece = 0;
        for (int64_t i = 0; digit && i < at - run; i++) {
            piece = slide(piece, run[i]);
            uint64_t hash = gram_hash(piece);
            if (i + 1 >= GRAM && is_chosen(hash))
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
