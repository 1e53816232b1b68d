#include <stdlib.h>

#include "net/http_internal.h"

#define KEEP ((size_t)8 << 10)

static HttpSegment *last_segment(HttpQueue *queue) {
    return queue->segments.count > queue->first ? &queue->segments.items[queue->segments.count - 1]
                                                : NULL;
}

/* Moves what is left to the front once most of the memory is spent. */
static void compact(HttpQueue *queue) {
    size_t left = queue->bytes.len - queue->taken;
    if (left == 0) {
        queue->bytes.len = 0;
    } else if (queue->taken >= KEEP && queue->taken >= left) {
        memmove(queue->bytes.ptr, queue->bytes.ptr + queue->taken, left);
        queue->bytes.len = left;
    } else {
        return;
    }
    queue->taken = 0;
}

void http_queue_add(HttpQueue *queue, Span bytes) {
    compact(queue);
    buf_add(&queue->bytes, bytes);
    HttpSegment *last = last_segment(queue);
    if (last && !last->blob)
        last->part.len += bytes.len;
    else
        *array_push(&queue->segments) = (HttpSegment){.part = {NULL, bytes.len}};
    queue->size += bytes.len;
    queue->held += bytes.len;
}

void http_queue_add_blob(HttpQueue *queue, Blob *blob, Span part) {
    /* Its maker's reference is no share. */
    size_t others = atomic_load_explicit(&blob->refs, memory_order_relaxed);
    size_t share = part.len / (others ? others : 1);
    *array_push(&queue->segments) =
        (HttpSegment){.blob = blob_ref(blob), .part = part, .share = share};
    queue->size += part.len;
    queue->held += share;
}

Span http_queue_front(const HttpQueue *queue) {
    if (queue->first == queue->segments.count)
        return (Span){0};
    const HttpSegment *segment = &queue->segments.items[queue->first];
    return segment->blob ? segment->part : span(queue->bytes.ptr + queue->taken, segment->part.len);
}

static void drop_segment(HttpQueue *queue) {
    const HttpSegment *segment = &queue->segments.items[queue->first++];
    queue->held -= segment->share;
    blob_unref(segment->blob);
    size_t left = queue->segments.count - queue->first;
    if (left == 0) {
        queue->segments.count = queue->first = 0;
    } else if (queue->first >= 64 && queue->first >= left) {
        array_remove(&queue->segments, 0, queue->first);
        queue->first = 0;
    }
}

void http_queue_drop(HttpQueue *queue, size_t bytes) {
    queue->size -= bytes;
    while (bytes) {
        HttpSegment *segment = &queue->segments.items[queue->first];
        size_t part = bytes < segment->part.len ? bytes : segment->part.len;
        if (segment->blob) {
            segment->part.ptr += part;
        } else {
            queue->taken += part;
            queue->held -= part;
        }
        segment->part.len -= part;
        bytes -= part;
        if (segment->part.len == 0)
            drop_segment(queue);
    }
    compact(queue);
}

void http_queue_reset(HttpQueue *queue) {
    for (size_t i = queue->first; i < queue->segments.count; i++)
        blob_unref(queue->segments.items[i].blob);
    queue->size = queue->held = queue->taken = queue->first = queue->segments.count = 0;
    if (queue->bytes.cap > KEEP)
        buf_done(&queue->bytes);
    if (queue->segments.capacity > 64)
        array_done(&queue->segments);
    buf_clear(&queue->bytes);
}

void http_queue_done(HttpQueue *queue) {
    http_queue_reset(queue);
    buf_done(&queue->bytes);
    array_done(&queue->segments);
}
