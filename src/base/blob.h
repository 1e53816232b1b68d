/* Immutable bytes that threads, watchers and connections share: one block of memory with a
 * reference count. Frames, log chunks, bodies and payloads travel as Blobs, so that none is
 * copied on its way.
 *
 * Who makes a Blob has the only reference and may write to it. From the moment it is given to
 * anyone else, it is read-only for all. The count may be changed by any thread. Out of memory
 * ends the process. */
#pragma once

#include <stdatomic.h>

#include "base/span.h"

typedef struct Blob {
    atomic_size_t refs;
    size_t size;
    char bytes[];
} Blob;

/* `size` bytes, not initialised, with one reference. */
Blob *blob_new(size_t size);

/* A Blob of its own with a copy of the bytes. */
Blob *blob_copy(Span bytes);

/* Gives the tail beyond `size` back, where the maker had asked for more than it needed. The Blob
 * may move; it has not been shared yet. */
Blob *blob_shrink(Blob *blob, size_t size);

/* One reference more; gives the Blob back. */
Blob *blob_ref(Blob *blob);

/* One reference less; the last one frees it. NULL is ignored. */
void blob_unref(Blob *blob);

static inline Span blob_span(const Blob *blob) {
    return (Span){blob->bytes, blob->size};
}

/* A part of a Blob, with a reference of its own. Zeroes are the empty slice of no Blob. */
typedef struct BlobSlice {
    Blob *blob;
    Span bytes; /* within the blob */
} BlobSlice;

/* The part of a Blob from `from` on, at most `len` bytes, with a reference more. */
BlobSlice blob_slice(Blob *blob, size_t from, size_t len);

void blob_slice_unref(BlobSlice *slice);
