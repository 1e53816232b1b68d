#include "base/blob.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

static size_t total_size(size_t size) {
    size_t total;
    if (__builtin_add_overflow(size, sizeof(Blob), &total))
        out_of_memory();
    return total;
}

Blob *blob_new(size_t size) {
    Blob *blob = xmalloc(total_size(size));
    atomic_init(&blob->refs, 1);
    blob->size = size;
    return blob;
}

Blob *blob_copy(Span bytes) {
    Blob *blob = blob_new(bytes.len);
    if (bytes.len)
        memcpy(blob->bytes, bytes.ptr, bytes.len);
    return blob;
}

Blob *blob_shrink(Blob *blob, size_t size) {
    assert(size <= blob->size);
    assert(atomic_load_explicit(&blob->refs, memory_order_relaxed) == 1);
    blob = xrealloc(blob, total_size(size));
    blob->size = size;
    return blob;
}

Blob *blob_ref(Blob *blob) {
    size_t before = atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
    return blob;
}

void blob_unref(Blob *blob) {
    if (!blob)
        return;
    /* Release: what this thread read, it read before; acquire: who frees comes after all. */
    size_t before = atomic_fetch_sub_explicit(&blob->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1)
        free(blob);
}

BlobSlice blob_slice(Blob *blob, size_t from, size_t len) {
    Span rest = span_skip(blob_span(blob), from);
    if (rest.len > len)
        rest.len = len;
    return (BlobSlice){blob_ref(blob), rest};
}

void blob_slice_unref(BlobSlice *slice) {
    blob_unref(slice->blob);
    *slice = (BlobSlice){0};
}
