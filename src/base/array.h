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

void array_done_(void *array);
#define array_done(array) array_done_(array)
