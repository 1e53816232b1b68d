/* Immutable bytes shared by reference: frames, log chunks, bodies, whatever crosses a thread, a
 * watcher or a connection. Made once, filled by its maker, then only read; freed with the last
 * reference. Counting is safe from any thread. */
#pragma once

#include <stdatomic.h>

#include "base/span.h"

typedef struct Blob {
    atomic_uint references;
    uint32_t size;
    char bytes[];
} Blob;

/* `size` bytes, not initialised, with one reference, to be filled before anyone else gets it. */
Blob *blob_new(uint32_t size);

/* A Blob of these bytes. */
Blob *blob_copy(Span bytes);

Blob *blob_ref(Blob *blob);

/* NULL does nothing. */
void blob_unref(Blob *blob);

static inline Span blob_span(const Blob *blob) {
    return span(blob->bytes, blob->size);
}
