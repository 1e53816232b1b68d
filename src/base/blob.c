#include "base/blob.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

Blob *blob_new(uint32_t size) {
    Blob *blob = xmalloc(sizeof *blob + size);
    atomic_init(&blob->references, 1);
    blob->size = size;
    return blob;
}

Blob *blob_copy(Span bytes) {
    assert(bytes.len <= UINT32_MAX);
    Blob *blob = blob_new((uint32_t)bytes.len);
    if (bytes.len)
        memcpy(blob->bytes, bytes.ptr, bytes.len);
    return blob;
}

Blob *blob_ref(Blob *blob) {
    atomic_fetch_add_explicit(&blob->references, 1, memory_order_relaxed);
    return blob;
}

void blob_unref(Blob *blob) {
    if (blob && atomic_fetch_sub_explicit(&blob->references, 1, memory_order_acq_rel) == 1)
        free(blob);
}
