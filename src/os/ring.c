/* Reader and writer see each other through `head` and `tail`, each written by one of them. They
 * sleep by telling the other first: "set my wish, then look again" on one side and "move, then look
 * for a wish" on the other cannot both miss, given that all of it is sequentially consistent.
 *
 * Killed in between: bytes count from the moment when head moves. What a writer had read from a
 * pipe but not yet counted would be lost; so before it reads, it fills the place with MARK and
 * notes in `reading` how many bytes it will be given, which it knows exactly (FIONREAD). A
 * successor that finds anything but MARK there knows that the read took place, and counts them.
 * Only a piece made of MARK alone, a byte that no text has, would be taken for one that was not
 * read. */
#include "os/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK 0xff

_Static_assert(sizeof(RingHeader) <= RING_HEADER, "the header has a page of its own");

static uint64_t load(const uint64_t *at) {
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);
}

static void store(uint64_t *at, uint64_t value) {
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);
}

static bool take(uint32_t *wish) {
    return __atomic_load_n(wish, __ATOMIC_SEQ_CST) &&
           __atomic_exchange_n(wish, 0, __ATOMIC_SEQ_CST);
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* of Linux 5.14; older libcs lack it */
#endif

/* ---- the file ---- */

static int check(const RingHeader *header, uint64_t file_size) {
    if (header->magic != RING_MAGIC)
        return -EPROTO;
    if (header->version != RING_VERSION)
        return -ENOTSUP;
    uint64_t capacity = header->capacity;
    if (header->header_size != RING_HEADER || capacity % RING_MIN ||
        capacity + RING_HEADER != file_size)
        return -EPROTO;
    return load(&header->head) - load(&header->tail) <= capacity ? 0 : -EPROTO;
}

/* Maps the ring of a file, and checks it. */
static int map(int descriptor, RingHeader **ret_header, size_t *ret_mapped) {
    struct stat file;
    if (fstat(descriptor, &file) != 0)
        return -errno;
    if (!S_ISREG(file.st_mode) || file.st_size < RING_HEADER + RING_MIN ||
        file.st_size > RING_HEADER + RING_MAX)
        return -EPROTO;
    size_t mapped = (size_t)file.st_size;
    void *at = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (at == MAP_FAILED)
        return -errno;
    /* A first touch by reading would map the pages around it, too: 64 KiB of every ring. Kernels
     * before 5.14 do not know this, and do so. */
    madvise(at, RING_HEADER, MADV_POPULATE_WRITE);
    int error = check(at, mapped);
    if (error) {
        munmap(at, mapped);
        return error;
    }
    *ret_header = at;
    *ret_mapped = mapped;
    return 0;
}

/* ---- the reader ---- */

struct RingReader {
    RingHeader *header;
    const char *data;
    uint64_t capacity; /* as it was when it was checked */
    size_t mapped;
    int room;
};

int ring_reader_new(int descriptor, int room, RingReader **ret_reader) {
    RingReader made = {.room = -1};
    int error = map(descriptor, &made.header, &made.mapped);
    if (error)
        return error;
    made.data = (const char *)made.header + RING_HEADER;
    made.capacity = made.mapped - RING_HEADER;
    if (room >= 0 && (made.room = fcntl(room, F_DUPFD_CLOEXEC, 3)) < 0)
        error = -errno;
    RingReader *reader = error ? NULL : malloc(sizeof *reader);
    if (!reader) {
        munmap(made.header, made.mapped);
        if (made.room >= 0)
            close(made.room);
        return error ? error : -ENOMEM;
    }
    *reader = made;
    *ret_reader = reader;
    return 0;
}

int ring_reader_open(const char *path, int room, RingReader **ret_reader) {
    int descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (descriptor < 0)
        return -errno;
    int error = ring_reader_new(descriptor, room, ret_reader);
    close(descriptor);
    return error;
}

void ring_reader_free(RingReader *reader) {
    if (!reader)
        return;
    munmap(reader->header, reader->mapped);
    if (reader->room >= 0)
        close(reader->room);
    free(reader);
}

uint64_t ring_tail(const RingReader *reader) {
    return load(&reader->header->tail);
}

uint64_t ring_head(const RingReader *reader) {
    return load(&reader->header->head);
}

bool ring_closed(const RingReader *reader) {
    return __atomic_load_n(&reader->header->closed, __ATOMIC_SEQ_CST);
}

Span ring_peek(RingReader *reader, uint64_t position) {
    RingHeader *header = reader->header;
    if (load(&header->head) == position) {
        __atomic_store_n(&header->wants_data, 1, __ATOMIC_SEQ_CST);
        if (load(&header->head) == position)
            return (Span){0};
    }
    uint64_t there = load(&header->head) - position;
    if (there > reader->capacity) /* none of ours: released already, or not there yet */
        return (Span){0};
    uint64_t from = position % reader->capacity;
    uint64_t piece = reader->capacity - from;
    return span(reader->data + from, there < piece ? there : piece);
}

void ring_release(RingReader *reader, uint64_t position) {
    RingHeader *header = reader->header;
    uint64_t tail = load(&header->tail);
    /* Where no room is made, a writer's wish for some stays. */
    if (position == tail || position - tail > load(&header->head) - tail)
        return; /* released already, or beyond the head */
    store(&header->tail, position);
    uint64_t one = 1;
    if (take(&header->wants_room) && reader->room >= 0)
        while (write(reader->room, &one, sizeof one) < 0 && errno == EINTR)
            continue;
}

size_t ring_gaps(const RingReader *reader, uint64_t from, uint64_t until, RingGap out[RING_GAPS]) {
    const RingHeader *header = reader->header;
    uint64_t end = load(&header->gap_count), found = 0;
    for (uint64_t n = end > RING_GAPS ? end - RING_GAPS : 0; n < end; n++) {
        const RingGap *gap = &header->gaps[n % RING_GAPS];
        RingGap copy = {load(&gap->at), load(&gap->bytes)};
        if (copy.at >= from && copy.at <= until)
            out[found++] = copy;
    }
    return found;
}

uint64_t ring_lost(const RingReader *reader) {
    return load(&reader->header->lost);
}

/* ---- the writer ---- */

static int take_space(int descriptor, size_t size) {
    if (fallocate(descriptor, 0, 0, (off_t)size) == 0)
        return 0;
    /* Where the file system cannot, glibc writes to every block. */
    return errno == EOPNOTSUPP ? -posix_fallocate(descriptor, 0, (off_t)size) : -errno;
}

static size_t rounded(size_t capacity) {
    capacity = capacity < RING_MIN ? RING_MIN : capacity > RING_MAX ? RING_MAX : capacity;
    return (capacity + RING_MIN - 1) / RING_MIN * RING_MIN;
}

static int create(int descriptor, size_t capacity, RingWriter *ret_writer) {
    size_t mapped = RING_HEADER + capacity;
    int error = take_space(descriptor, mapped);
    if (error)
        return error;
    /* Written, not stored into the mapping: a first touch there would have the kernel read ahead. */
    union {
        RingHeader header;
        char page[RING_HEADER];
    } first = {.header = {.magic = RING_MAGIC,
                          .version = RING_VERSION,
                          .header_size = RING_HEADER,
                          .capacity = capacity}};
    if (pwrite(descriptor, &first, sizeof first, 0) != sizeof first)
        return errno ? -errno : -EIO;
    void *at = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (at == MAP_FAILED)
        return -errno;
    madvise(at, mapped, MADV_RANDOM);
    madvise(at, mapped, MADV_DONTFORK); /* a writer of many rings starts processes */
    *ret_writer = (RingWriter){at, (char *)at + RING_HEADER, mapped};
    return 0;
}

int ring_create(int folder, const char *name, size_t capacity, RingWriter *ret_writer) {
    int descriptor = openat(folder, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return -errno;
    int error = create(descriptor, rounded(capacity), ret_writer);
    close(descriptor);
    if (error)
        unlinkat(folder, name, 0);
    return error;
}

int ring_create_anonymous(size_t capacity, RingWriter *ret_writer, int *ret_descriptor) {
    int descriptor = memfd_create("ring", MFD_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    int error = create(descriptor, rounded(capacity), ret_writer);
    if (error)
        close(descriptor);
    else
        *ret_descriptor = descriptor;
    return error;
}

/* Whether something was read into the place that was marked. */
static bool was_read(const RingWriter *writer, const struct iovec pieces[2]) {
    for (int i = 0; i < 2; i++)
        for (size_t at = 0; at < pieces[i].iov_len; at++)
            if (((const unsigned char *)pieces[i].iov_base)[at] != MARK)
                return true;
    return false;
}

static void settle(RingWriter *writer) {
    struct iovec pieces[2];
    RingHeader *header = writer->header;
    uint64_t reading = load(&header->reading), head = load(&header->head);
    if (reading && load(&header->reading_at) == head &&
        ring_room(writer, reading, pieces) == reading && was_read(writer, pieces))
        store(&header->head, head + reading);
    store(&header->reading, 0);
}

int ring_resume(int folder, const char *name, RingWriter *ret_writer) {
    int descriptor = openat(folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (descriptor < 0)
        return -errno;
    RingWriter writer;
    int error = map(descriptor, &writer.header, &writer.mapped);
    close(descriptor);
    if (error)
        return error;
    writer.data = (char *)writer.header + RING_HEADER;
    settle(&writer);
    *ret_writer = writer;
    return 0;
}

void ring_unmap(RingWriter *writer) {
    if (writer->header)
        munmap(writer->header, writer->mapped);
    *writer = (RingWriter){0};
}

size_t ring_room(const RingWriter *writer, size_t limit, struct iovec out[2]) {
    uint64_t capacity = writer->mapped - RING_HEADER;
    uint64_t head = load(&writer->header->head);
    uint64_t used = head - load(&writer->header->tail);
    uint64_t room = used < capacity ? capacity - used : 0;
    if (room > limit)
        room = limit;
    uint64_t from = head % capacity;
    uint64_t first = room < capacity - from ? room : capacity - from;
    out[0] = (struct iovec){writer->data + from, first};
    out[1] = (struct iovec){writer->data, room - first};
    return room;
}

void ring_expect(RingWriter *writer, const struct iovec pieces[2], size_t bytes) {
    memset(pieces[0].iov_base, MARK, pieces[0].iov_len);
    memset(pieces[1].iov_base, MARK, pieces[1].iov_len);
    store(&writer->header->reading_at, load(&writer->header->head));
    store(&writer->header->reading, bytes);
}

bool ring_append(RingWriter *writer, size_t bytes) {
    RingHeader *header = writer->header;
    if (bytes)
        store(&header->head, load(&header->head) + bytes);
    store(&header->reading, 0);
    return bytes && take(&header->wants_data);
}

void ring_drop(RingWriter *writer, uint64_t bytes) {
    RingHeader *header = writer->header;
    uint64_t head = load(&header->head), count = load(&header->gap_count);
    store(&header->lost, load(&header->lost) + bytes);
    RingGap *last = &header->gaps[(count - 1) % RING_GAPS];
    RingGap *next = &header->gaps[count % RING_GAPS];
    bool full = count >= RING_GAPS && next->at >= load(&header->tail);
    if (count && (last->at == head || full)) {
        store(&last->bytes, last->bytes + bytes);
        return;
    }
    store(&next->at, head);
    store(&next->bytes, bytes);
    store(&header->gap_count, count + 1);
}

bool ring_wait(RingWriter *writer) {
    struct iovec pieces[2];
    __atomic_store_n(&writer->header->wants_room, 1, __ATOMIC_SEQ_CST);
    return ring_room(writer, 1, pieces) == 0;
}

bool ring_close(RingWriter *writer) {
    __atomic_store_n(&writer->header->closed, 1, __ATOMIC_SEQ_CST);
    return take(&writer->header->wants_data);
}
