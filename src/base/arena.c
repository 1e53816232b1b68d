#include "base/arena.h"

#include <stdlib.h>

#include "base/memory.h"

#define BLOCK_MIN ((size_t)4 << 10)
#define BLOCK_MAX ((size_t)1 << 20)

struct ArenaBlock {
    ArenaBlock *next;
    size_t size; /* of the malloc, this header included; a multiple of ARENA_ALIGN */
    char bytes[];
};

_Static_assert(sizeof(ArenaBlock) % ARENA_ALIGN == 0, "the first byte of a block is aligned");

static char *block_end(ArenaBlock *block) {
    return (char *)block + block->size;
}

static void block_free(ArenaBlock *block) {
    ARENA_UNPOISON(block->bytes, block->size - sizeof *block);
    free(block);
}

/* A block with room for `size` bytes, `wanted` bytes long where that suffices and the limit
 * allows; NULL when the limit does not even allow what is needed. */
static ArenaBlock *block_new(Arena *arena, size_t size, size_t wanted) {
    size_t needed;
    if (__builtin_add_overflow(size, sizeof(ArenaBlock) + ARENA_ALIGN - 1, &needed)) {
        if (arena->limit)
            return NULL;
        out_of_memory();
    }
    needed &= ~(size_t)(ARENA_ALIGN - 1);
    if (wanted < needed)
        wanted = needed;
    if (arena->limit) {
        size_t left = arena->limit > arena->taken ? arena->limit - arena->taken : 0;
        if (needed > left)
            return NULL;
        if (wanted > left)
            wanted = left & ~(size_t)(ARENA_ALIGN - 1);
    }
    ArenaBlock *block = xmalloc(wanted);
    block->size = wanted;
    arena->taken += wanted;
    ARENA_POISON(block->bytes, wanted - sizeof *block);
    return block;
}

static size_t next_size(const Arena *arena) {
    size_t size = arena->blocks ? arena->blocks->size * 2 : BLOCK_MIN;
    return size < BLOCK_MIN ? BLOCK_MIN : size > BLOCK_MAX ? BLOCK_MAX : size;
}

static void make_current(Arena *arena, ArenaBlock *block) {
    block->next = arena->blocks;
    arena->blocks = block;
    arena->floor = block->bytes;
    arena->top = block_end(block);
}

bool arena_reserve_slow(Arena *arena, size_t size) {
    ArenaBlock *block = block_new(arena, size, next_size(arena));
    if (!block)
        return false;
    make_current(arena, block);
    return true;
}

void *arena_alloc_slow(Arena *arena, size_t size) {
    if (!arena->blocks || (size_t)(arena->top - arena->floor) < size) {
        ArenaBlock *block = block_new(arena, size, next_size(arena));
        if (!block)
            return NULL;
        size_t room = block->size - sizeof *block;
        if (arena->blocks && room - size < (size_t)(arena->top - arena->floor)) {
            /* What the current block has left is more than what this one will have: it stays
             * the current one, and the new one serves this allocation alone. */
            block->next = arena->blocks->next;
            arena->blocks->next = block;
            char *memory = block_end(block) - (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
            ARENA_UNPOISON(memory, size);
            return memory;
        }
        make_current(arena, block);
    }
    arena->top = (char *)((uintptr_t)(arena->top - size) & ~(uintptr_t)(ARENA_ALIGN - 1));
    ARENA_UNPOISON(arena->top, size);
    return arena->top;
}

void arena_reset(Arena *arena) {
    ArenaBlock *largest = arena->blocks;
    if (!largest)
        return;
    for (ArenaBlock *block = largest->next; block; block = block->next)
        if (block->size > largest->size)
            largest = block;
    for (ArenaBlock *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        if (block != largest)
            block_free(block);
    }
    arena->blocks = NULL;
    make_current(arena, largest);
    arena->taken = largest->size;
    ARENA_POISON(arena->floor, (size_t)(arena->top - arena->floor));
}

void arena_done(Arena *arena) {
    for (ArenaBlock *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        block_free(block);
    }
    *arena = (Arena){.limit = arena->limit};
}

Span arena_copy(Arena *arena, Span bytes) {
    char *copy = arena_alloc(arena, bytes.len);
    if (!copy)
        return (Span){0};
    if (bytes.len)
        memcpy(copy, bytes.ptr, bytes.len);
    return (Span){copy, bytes.len};
}

char *arena_text(Arena *arena, Span text) {
    char *copy = arena_alloc(arena, text.len + 1);
    if (!copy)
        return NULL;
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}
