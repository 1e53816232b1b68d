/* Growing arrays of any type: ARRAY(int) numbers = {0}; *array_push(&numbers) = 7;
 * numbers.items[i]; array_done(&numbers). Backed by malloc; out of memory ends the process.
 * Elements move when the array grows. */
#pragma once

#include <stddef.h>

#define ARRAY(T)                                                                                   \
    struct {                                                                                       \
        T *items;                                                                                  \
        size_t count;                                                                              \
        size_t capacity;                                                                           \
    }

/* Room for `more` elements of `size` bytes. `array` is the address of any ARRAY(T). */
void array_grow(void *array, size_t size, size_t more);

/* Adds one element, not initialised; gives its address. */
#define array_push(array)                                                                          \
    ({                                                                                             \
        __auto_type array_ = (array);                                                              \
        if (array_->count == array_->capacity)                                                     \
            array_grow(array_, sizeof *array_->items, 1);                                          \
        &array_->items[array_->count++];                                                           \
    })

/* Takes out `n` elements from the one with index `at` on; the others keep their order. What they own
 * is to be released first. An empty array has no address, which memmove(3) does not allow: this is
 * where that is thought of. */
#define array_remove(array, at, n)                                                                 \
    ({                                                                                             \
        __auto_type array_ = (array);                                                              \
        array_remove_(array_->items, &array_->count, (at), (n), sizeof *array_->items);            \
    })
void array_remove_(void *items, size_t *count, size_t at, size_t n, size_t size);

void array_done_(void *array);
#define array_done(array) array_done_(array)
