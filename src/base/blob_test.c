#include "base/blob.h"

#include <pthread.h>

#include "base/test.h"

static void bytes_and_size(void **state) {
    (void)state;
    Blob *blob = blob_new(5);
    memcpy(blob->bytes, "bytes", 5);
    assert_span(blob_span(blob), "bytes");
    blob_unref(blob);
    blob = blob_copy(SPAN("a copy"));
    assert_span(blob_span(blob), "a copy");
    blob = blob_shrink(blob, 1);
    assert_span(blob_span(blob), "a");
    blob_unref(blob);
    blob = blob_copy((Span){0});
    assert_int_equal(blob_span(blob).len, 0);
    blob_unref(blob);
    blob_unref(NULL);
}

static void slices_hold_their_blob(void **state) {
    (void)state;
    Blob *blob = blob_copy(SPAN("0123456789"));
    BlobSlice middle = blob_slice(blob, 3, 4);
    BlobSlice tail = blob_slice(blob, 7, SIZE_MAX);
    BlobSlice nothing = blob_slice(blob, 10, 1), beyond = blob_slice(blob, SIZE_MAX, 1);
    blob_unref(blob);
    assert_span(middle.bytes, "3456");
    assert_span(tail.bytes, "789");
    assert_int_equal(nothing.bytes.len, 0);
    assert_int_equal(beyond.bytes.len, 0);
    blob_slice_unref(&middle);
    blob_slice_unref(&tail);
    blob_slice_unref(&nothing);
    blob_slice_unref(&beyond);
    assert_null(middle.blob);
    blob_slice_unref(&middle);
}

/* Reads the blob, hands references round within the thread, and gives its own back. */
static void *use(void *argument) {
    Blob *blob = argument;
    size_t sum = 0;
    for (int round = 0; round < 10000; round++) {
        BlobSlice slice = blob_slice(blob, (size_t)round % blob->size, 1);
        sum += (unsigned char)slice.bytes.ptr[0];
        blob_slice_unref(&slice);
    }
    blob_unref(blob);
    return (void *)(uintptr_t)sum;
}

static void threads_share_one(void **state) {
    (void)state;
    Blob *blob = blob_new(100);
    memset(blob->bytes, 1, 100);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, blob_ref(blob)), 0);
    blob_unref(blob);
    for (int i = 0; i < 4; i++) {
        void *sum;
        pthread_join(threads[i], &sum);
        assert_int_equal((uintptr_t)sum, 10000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_and_size),
        cmocka_unit_test(slices_hold_their_blob),
        cmocka_unit_test(threads_share_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
