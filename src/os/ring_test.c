#include "os/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"

#define SMALL RING_MIN

/* A ring with both its ends. */
typedef struct Ring {
    RingWriter writer;
    RingReader *reader;
    int file;
} Ring;

static Ring ring_new(size_t capacity, int room) {
    Ring ring;
    assert_int_equal(ring_create_anonymous(capacity, &ring.writer, &ring.file), 0);
    assert_int_equal(ring_reader_new(ring.file, room, &ring.reader), 0);
    return ring;
}

static void ring_done(Ring *ring) {
    ring_reader_free(ring->reader);
    ring_unmap(&ring->writer);
    close(ring->file);
}

/* Appends as much as fits; the number of bytes. */
static size_t put(RingWriter *writer, const void *bytes, size_t len) {
    struct iovec room[2];
    len = ring_room(writer, len, room);
    memcpy(room[0].iov_base, bytes, room[0].iov_len);
    memcpy(room[1].iov_base, (const char *)bytes + room[0].iov_len, room[1].iov_len);
    ring_append(writer, len);
    return len;
}

static void test_passes_bytes(void **state) {
    Ring ring = ring_new(SMALL, -1);
    assert_int_equal(ring_peek(ring.reader, 0).len, 0);
    assert_int_equal(put(&ring.writer, "hello", 5), 5);
    assert_span(ring_peek(ring.reader, 0), "hello");
    assert_span(ring_peek(ring.reader, 3), "lo");
    ring_release(ring.reader, 3);
    assert_int_equal(ring_tail(ring.reader), 3);
    assert_int_equal(ring_head(ring.reader), 5);
    ring_release(ring.reader, 2); /* already */
    ring_release(ring.reader, 6); /* not there */
    assert_int_equal(ring_tail(ring.reader), 3);
    assert_false(ring_closed(ring.reader));
    ring_close(&ring.writer);
    assert_true(ring_closed(ring.reader));
    assert_span(ring_peek(ring.reader, 3), "lo");
    ring_done(&ring);
}

static void test_wraps(void **state) {
    TestRandom random = test_random();
    Ring ring = ring_new(SMALL, -1);
    uint64_t written = 0, read = 0;
    while (read < 20 * SMALL) {
        unsigned char piece[SMALL];
        size_t len = test_random_below(&random, sizeof piece);
        for (size_t i = 0; i < len; i++)
            piece[i] = (unsigned char)((written + i) % 251);
        written += put(&ring.writer, piece, len);
        Span seen = ring_peek(ring.reader, read);
        for (size_t i = 0; i < seen.len; i++)
            assert_int_equal((unsigned char)seen.ptr[i], (read + i) % 251);
        read += seen.len ? test_random_below(&random, seen.len + 1) : 0;
        ring_release(ring.reader, read);
    }
    ring_done(&ring);
}

static void test_full(void **state) {
    Ring ring = ring_new(SMALL, -1);
    char block[SMALL + 10] = {0};
    assert_int_equal(put(&ring.writer, block, sizeof block), SMALL);
    assert_int_equal(put(&ring.writer, block, 1), 0);
    ring_release(ring.reader, 10);
    assert_int_equal(put(&ring.writer, block, sizeof block), 10);
    ring_done(&ring);
}

static void test_wishes(void **state) {
    int room = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    Ring ring = ring_new(SMALL, room);
    char block[SMALL] = {0};
    struct iovec pieces[2];
    uint64_t rings;
    /* Who has not asked is not woken; who has, once. */
    ring_room(&ring.writer, 1, pieces);
    assert_false(ring_append(&ring.writer, 1));
    ring_peek(ring.reader, 1);
    assert_true(ring_append(&ring.writer, 1));
    assert_false(ring_append(&ring.writer, 1));
    ring_release(ring.reader, 1);
    assert_int_equal(read(room, &rings, sizeof rings), -1);
    assert_false(ring_wait(&ring.writer)); /* there is room */
    put(&ring.writer, block, sizeof block);
    assert_true(ring_wait(&ring.writer));
    ring_release(ring.reader, 1); /* makes none */
    assert_int_equal(read(room, &rings, sizeof rings), -1);
    ring_release(ring.reader, 2);
    assert_int_equal(read(room, &rings, sizeof rings), sizeof rings);
    ring_peek(ring.reader, ring_head(ring.reader));
    assert_true(ring_close(&ring.writer));
    ring_done(&ring);
    close(room);
}

static void test_gaps(void **state) {
    Ring ring = ring_new(SMALL, -1);
    RingGap gaps[RING_GAPS];
    assert_int_equal(ring_gaps(ring.reader, 0, 100, gaps), 0);
    put(&ring.writer, "abc", 3);
    ring_drop(&ring.writer, 5);
    ring_drop(&ring.writer, 6); /* the same gap */
    put(&ring.writer, "d", 1);
    ring_drop(&ring.writer, 7);
    assert_int_equal(ring_gaps(ring.reader, 0, 100, gaps), 2);
    assert_int_equal(gaps[0].at, 3);
    assert_int_equal(gaps[0].bytes, 11);
    assert_int_equal(gaps[1].at, 4);
    assert_int_equal(gaps[1].bytes, 7);
    assert_int_equal(ring_gaps(ring.reader, 4, 100, gaps), 1);
    assert_int_equal(ring_lost(ring.reader), 18);
    ring_done(&ring);
}

/* More gaps than the table holds: those that are still needed stay, the rest is counted. */
static void test_many_gaps(void **state) {
    Ring ring = ring_new(SMALL, -1);
    RingGap gaps[RING_GAPS];
    for (int i = 0; i < RING_GAPS + 10; i++) {
        ring_drop(&ring.writer, 1);
        put(&ring.writer, "x", 1);
    }
    assert_int_equal(ring_gaps(ring.reader, 0, SMALL, gaps), RING_GAPS);
    assert_int_equal(gaps[0].at, 0);
    assert_int_equal(gaps[RING_GAPS - 1].bytes, 11);
    assert_int_equal(ring_lost(ring.reader), RING_GAPS + 10);
    ring_release(ring.reader, ring_head(ring.reader));
    ring_drop(&ring.writer, 2); /* now there is place for a new one */
    assert_int_equal(ring_gaps(ring.reader, ring_tail(ring.reader), SMALL, gaps), 1);
    assert_int_equal(gaps[0].bytes, 2);
    ring_done(&ring);
}

/* ---- files ---- */

static char folder[] = "/tmp/ring-test-XXXXXX";

static int folder_open(void **state) {
    return mkdtemp(folder) ? 0 : -1;
}

static int folder_remove(void **state) {
    return rmdir(folder);
}

static void test_resumes(void **state) {
    int dir = open(folder, O_DIRECTORY | O_CLOEXEC);
    RingWriter writer;
    assert_int_equal(ring_create(dir, "a", 10, &writer), 0);
    assert_int_equal(ring_create(dir, "a", 10, &writer), -EEXIST);
    put(&writer, "before ", 7);
    ring_unmap(&writer);
    assert_int_equal(ring_resume(dir, "b", &writer), -ENOENT);
    assert_int_equal(ring_resume(dir, "a", &writer), 0);
    put(&writer, "after", 5);
    RingReader *reader;
    char path[100];
    snprintf(path, sizeof path, "%s/a", folder);
    assert_int_equal(ring_reader_open(path, -1, &reader), 0);
    assert_span(ring_peek(reader, 0), "before after");
    ring_reader_free(reader);
    ring_unmap(&writer);
    unlinkat(dir, "a", 0);
    close(dir);
}

/* The writer dies between what it says it will read and having counted it. */
static void test_resumes_in_the_middle(void **state) {
    static const struct {
        bool read, appended;
        uint64_t head;
    } cases[] = {{false, false, 3}, {true, false, 8}, {true, true, 8}};
    int dir = open(folder, O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RingWriter writer;
        struct iovec room[2];
        assert_int_equal(ring_create(dir, "a", 10, &writer), 0);
        put(&writer, "abc", 3);
        assert_int_equal(ring_room(&writer, 5, room), 5);
        ring_expect(&writer, room, 5);
        if (cases[i].read)
            memcpy(room[0].iov_base, "defgh", 5);
        if (cases[i].appended) /* the last store of ring_append is missing */
            writer.header->head += 5;
        ring_unmap(&writer);
        assert_int_equal(ring_resume(dir, "a", &writer), 0);
        assert_int_equal(writer.header->head, cases[i].head);
        assert_int_equal(writer.header->reading, 0);
        ring_unmap(&writer);
        unlinkat(dir, "a", 0);
    }
    close(dir);
}

static void test_refuses_what_is_no_ring(void **state) {
    Ring ring = ring_new(SMALL, -1);
    RingReader *reader;
    RingHeader good = *ring.writer.header;
    ring.writer.header->version = 2;
    assert_int_equal(ring_reader_new(ring.file, -1, &reader), -ENOTSUP);
    *ring.writer.header = good;
    ring.writer.header->magic++;
    assert_int_equal(ring_reader_new(ring.file, -1, &reader), -EPROTO);
    *ring.writer.header = good;
    ring.writer.header->capacity *= 2;
    assert_int_equal(ring_reader_new(ring.file, -1, &reader), -EPROTO);
    *ring.writer.header = good;
    ring.writer.header->head = SMALL + 1;
    assert_int_equal(ring_reader_new(ring.file, -1, &reader), -EPROTO);
    ring_done(&ring);
    assert_int_equal(ring_reader_open("/dev/null", -1, &reader), -EPROTO);
    assert_int_equal(ring_reader_open("/nowhere", -1, &reader), -ENOENT);
}

/* A writer and a reader who sleep whenever they can: nobody sleeps for ever, nothing is lost. */
typedef struct Race {
    Ring ring;
    int room, data;
    uint64_t total;
} Race;

static void sleep_on(int event) {
    uint64_t rings;
    struct pollfd wait = {.fd = event, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 20000), 1);
    assert_int_equal(read(event, &rings, sizeof rings), sizeof rings);
}

static void *write_much(void *owner) {
    Race *race = owner;
    uint64_t one = 1;
    for (uint64_t written = 0; written < race->total;) {
        struct iovec room[2];
        uint64_t left = race->total - written;
        size_t len = ring_room(&race->ring.writer, left < 600 ? left : 600, room);
        if (!len) {
            if (ring_wait(&race->ring.writer))
                sleep_on(race->room);
            continue;
        }
        for (size_t i = 0; i < len; i++) {
            struct iovec *at = &room[i >= room[0].iov_len];
            size_t within = i >= room[0].iov_len ? i - room[0].iov_len : i;
            ((unsigned char *)at->iov_base)[within] = (unsigned char)((written + i) % 251);
        }
        written += len;
        if (ring_append(&race->ring.writer, len))
            assert_int_equal(write(race->data, &one, sizeof one), sizeof one);
    }
    if (ring_close(&race->ring.writer))
        assert_int_equal(write(race->data, &one, sizeof one), sizeof one);
    return NULL;
}

static void test_two_threads(void **state) {
    Race race = {.room = eventfd(0, EFD_CLOEXEC), .data = eventfd(0, EFD_CLOEXEC)};
    race.ring = ring_new(SMALL, race.room);
    race.total = 1000 * SMALL;
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, write_much, &race), 0);
    for (uint64_t position = 0;;) {
        bool closed = ring_closed(race.ring.reader);
        Span seen = ring_peek(race.ring.reader, position);
        if (!seen.len && closed) {
            assert_int_equal(position, race.total);
            break;
        }
        if (!seen.len)
            sleep_on(race.data);
        for (size_t i = 0; i < seen.len; i++)
            if ((unsigned char)seen.ptr[i] != (position + i) % 251)
                fail_msg("wrong byte at %llu", (unsigned long long)(position + i));
        position += seen.len;
        ring_release(race.ring.reader, position);
    }
    pthread_join(writer, NULL);
    ring_done(&race.ring);
    close(race.room);
    close(race.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes_bytes),
        cmocka_unit_test(test_wraps),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_wishes),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_many_gaps),
        cmocka_unit_test(test_resumes),
        cmocka_unit_test(test_resumes_in_the_middle),
        cmocka_unit_test(test_refuses_what_is_no_ring),
        cmocka_unit_test(test_two_threads),
    };
    return cmocka_run_group_tests_name("ring", tests, folder_open, folder_remove);
}
