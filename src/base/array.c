#include "base/array.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define ARRAY_MIN 8

typedef ARRAY(void) AnyArray;

void array_grow(void *array, size_t size, size_t more) {
    AnyArray *any = array;
    size_t wanted, bytes;
    if (__builtin_add_overflow(any->count, more, &wanted))
        out_of_memory();
    if (wanted <= any->capacity)
        return;
    size_t capacity = any->capacity < ARRAY_MIN ? ARRAY_MIN : any->capacity;
    while (capacity < wanted)
        capacity = capacity > SIZE_MAX / 2 ? wanted : capacity * 2;
    if (__builtin_mul_overflow(capacity, size, &bytes))
        out_of_memory();
    any->items = xrealloc(any->items, bytes);
    any->capacity = capacity;
}

void array_done_(void *array) {
    AnyArray *any = array;
    free(any->items);
    *any = (AnyArray){0};
}

void array_remove_(void *items, size_t *count, size_t at, size_t n, size_t size) {
    assert(at <= *count && n <= *count - at);
    if (n)
        memmove((char *)items + at * size, (char *)items + (at + n) * size,
                (*count - at - n) * size);
    *count -= n;
}
