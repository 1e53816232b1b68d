#include <stdlib.h>

#include "base/memory.h"
#include "net/http_internal.h"

/* Blocks are kept by class of 32 bytes. Larger ones come from malloc: nghttp2's own 16 KB buffers
 * would only be rounded up here. Every block carries its size in front. */
#define STEP       32
#define CLASSES    32 /* up to 1 KB */
#define KEEP       1024
#define EXCHANGES  1024
#define ARENA_KEPT ((size_t)16 << 10)

/* A pool would hide use after free from the sanitizer. */
#if defined __has_feature
#if __has_feature(address_sanitizer)
#define POOLED false
#endif
#elif defined __SANITIZE_ADDRESS__
#define POOLED false
#endif
#ifndef POOLED
#define POOLED true
#endif

typedef struct Block {
    _Alignas(16) size_t size;
    struct Block *next; /* while it is free */
} Block;

struct HttpPool {
    Block *free[CLASSES];
    uint32_t kept[CLASSES];
    Link exchanges;
    uint32_t exchange_count;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *options;
};

HttpPool *http_pool_new(void) {
    HttpPool *pool = xcalloc(1, sizeof *pool);
    list_init(&pool->exchanges);
    if (nghttp2_session_callbacks_new(&pool->callbacks) || nghttp2_option_new(&pool->options))
        out_of_memory();
    http2_configure(pool->callbacks, pool->options);
    return pool;
}

static void exchange_free(HttpExchange *exchange) {
    http_queue_done(&exchange->out);
    arena_done(&exchange->arena);
    free(exchange);
}

void http_pool_free(HttpPool *pool) {
    for (Link *link; (link = list_pop_front(&pool->exchanges));)
        exchange_free(CONTAINER(link, HttpExchange, link));
    for (size_t class = 0; class < CLASSES; class ++) {
        for (Block *block = pool->free[class], *next; block; block = next) {
            next = block->next;
            free(block);
        }
    }
    nghttp2_session_callbacks_del(pool->callbacks);
    nghttp2_option_del(pool->options);
    free(pool);
}

nghttp2_session_callbacks *http_pool_callbacks(HttpPool *pool) {
    return pool->callbacks;
}

nghttp2_option *http_pool_options(HttpPool *pool) {
    return pool->options;
}

HttpExchange *http_pool_take(HttpPool *pool) {
    Link *link = list_pop_front(&pool->exchanges);
    if (!link)
        return xcalloc(1, sizeof(HttpExchange));
    pool->exchange_count--;
    return CONTAINER(link, HttpExchange, link);
}

void http_pool_give(HttpPool *pool, HttpExchange *exchange) {
    if (!POOLED || pool->exchange_count >= EXCHANGES) {
        exchange_free(exchange);
        return;
    }
    http_queue_reset(&exchange->out);
    if (exchange->arena.taken > ARENA_KEPT)
        arena_done(&exchange->arena);
    else
        arena_reset(&exchange->arena);
    HttpQueue out = exchange->out;
    Arena arena = exchange->arena;
    *exchange = (HttpExchange){.out = out, .arena = arena};
    list_push_front(&pool->exchanges, &exchange->link);
    pool->exchange_count++;
}

/* ---- nghttp2's allocator ---- */

static size_t class_of(size_t size) {
    return size ? (size - 1) / STEP : 0;
}

static void *memory_malloc(size_t size, void *user) {
    HttpMemory *memory = user;
    size_t class = class_of(size);
    Block *block;
    if (class < CLASSES && (block = memory->pool->free[class])) {
        memory->pool->free[class] = block->next;
        memory->pool->kept[class]--;
    } else {
        block = malloc(sizeof *block + (class < CLASSES ? (class + 1) * STEP : size));
        if (!block)
            out_of_memory();
    }
    block->size = size;
    memory->used += size;
    return block + 1;
}

static void memory_free(void *pointer, void *user) {
    if (!pointer)
        return;
    HttpMemory *memory = user;
    Block *block = (Block *)pointer - 1;
    size_t class = class_of(block->size);
    memory->used -= block->size;
    if (!POOLED || class >= CLASSES || memory->pool->kept[class] >= KEEP) {
        free(block);
        return;
    }
    block->next = memory->pool->free[class];
    memory->pool->free[class] = block;
    memory->pool->kept[class]++;
}

static void *memory_calloc(size_t count, size_t size, void *user) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        out_of_memory();
    return memset(memory_malloc(bytes, user), 0, bytes);
}

static void *memory_realloc(void *pointer, size_t size, void *user) {
    void *moved = memory_malloc(size, user);
    if (pointer) {
        size_t old = ((Block *)pointer - 1)->size;
        memcpy(moved, pointer, old < size ? old : size);
        memory_free(pointer, user);
    }
    return moved;
}

nghttp2_mem http_memory(HttpMemory *memory) {
    return (nghttp2_mem){memory, memory_malloc, memory_free, memory_calloc, memory_realloc};
}
