/* An arena: memory taken piece by piece and given back all at once.
 *
 * It hands out memory from the top of a block downwards, so an allocation is a subtraction and a
 * mask, and the message encoder, which writes from the last byte to the first, lays its output
 * straight into it. Blocks come from malloc and double in size from 4 KiB to 1 MiB (what is
 * larger gets a block of its own); running out of memory ends the process. With a limit set, an
 * allocation that would need a block past it gives NULL instead: that is how a decoder bounds
 * what a peer can make it allocate.
 *
 * Under AddressSanitizer all memory that is not handed out is poisoned, to the byte.
 *
 * One thread uses an arena at a time. */
#pragma once

#include "base/span.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define ARENA_POISON(at, size)   __asan_poison_memory_region(at, size)
#define ARENA_UNPOISON(at, size) __asan_unpoison_memory_region(at, size)
#else
#define ARENA_POISON(at, size)   ((void)(at), (void)(size))
#define ARENA_UNPOISON(at, size) ((void)(at), (void)(size))
#endif

#define ARENA_ALIGN 8

typedef struct ArenaBlock ArenaBlock;

typedef struct Arena {
    char *floor;        /* lowest usable address of the current block; aligned to ARENA_ALIGN */
    char *top;          /* the next allocation ends here */
    ArenaBlock *blocks; /* current block first */
    size_t taken;       /* bytes malloced for blocks since the last reset, the kept one included */
    size_t limit; /* `taken` never grows past it; 0 = no limit. A block got earlier stays usable. */
} Arena;

/* An arena needs no initialiser beyond zeroes: Arena a = {0}; */

/* Gives everything back but the largest block, which is kept for the next round. */
void arena_reset(Arena *arena);

/* Gives everything back; the arena may be used again, its limit stays. */
void arena_done(Arena *arena);

/* The part of arena_alloc and arena_reserve that needs a new block. */
void *arena_alloc_slow(Arena *arena, size_t size);
bool arena_reserve_slow(Arena *arena, size_t size);

/* `size` bytes, not initialised, aligned to ARENA_ALIGN; NULL only when the arena's limit is
 * reached. */
static inline void *arena_alloc(Arena *arena, size_t size) {
    /* An exact fit goes the slow way too, so that 0 bytes of an empty arena are not NULL. */
    if (__builtin_expect((size_t)(arena->top - arena->floor) <= size, 0))
        return arena_alloc_slow(arena, size);
    arena->top = (char *)((uintptr_t)(arena->top - size) & ~(uintptr_t)(ARENA_ALIGN - 1));
    ARENA_UNPOISON(arena->top, size);
    return arena->top;
}

/* Likewise, filled with zeroes. */
static inline void *arena_zalloc(Arena *arena, size_t size) {
    void *memory = arena_alloc(arena, size);
    return memory ? memset(memory, 0, size) : NULL;
}

/* Makes sure that `size` bytes can be taken from the current block: afterwards top - floor >=
 * size. False only when the limit is reached. For writers that fill memory downwards from `top`
 * and then call arena_take; between the two there must be no other allocation. */
static inline bool arena_reserve(Arena *arena, size_t size) {
    if ((size_t)(arena->top - arena->floor) < size && !arena_reserve_slow(arena, size))
        return false;
    ARENA_UNPOISON(arena->top - size, size);
    return true;
}

/* Keeps all bytes from `start` (which lies within what was reserved) up to `top` as allocated.
 * Alignment is restored by the next arena_alloc. */
static inline void arena_take(Arena *arena, char *start) {
    arena->top = start;
    ARENA_POISON(arena->floor, (size_t)(start - arena->floor));
}

/* Lets the arena grow by `more` bytes at the most, or by less where its limit says so already.
 * Returns the limit it had, for the caller to put back. */
static inline size_t arena_limit_growth(Arena *arena, size_t more) {
    size_t before = arena->limit, limit;
    if (__builtin_add_overflow(arena->taken, more, &limit))
        limit = SIZE_MAX;
    if (!before || limit < before)
        arena->limit = limit;
    return before;
}

/* A copy of the bytes that lives as long as the arena; the Span {NULL,0} when the limit is
 * reached. */
Span arena_copy(Arena *arena, Span bytes);

/* A NUL-terminated copy; NULL when the limit is reached. */
char *arena_text(Arena *arena, Span text);
