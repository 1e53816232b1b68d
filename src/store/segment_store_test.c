#include "store/segment_store.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/test.h"
#include "os/simulated_disk.h"

#define WALL (INT64_C(1790000000) * NANOS_PER_SECOND)

/* ---- a store on a simulated disk ---- */

typedef struct Room {
    SimulatedDisk *disk;
    SegmentOptions options;
    SegmentStore *store;
    Buf report;
    int dropped, forgotten;
} Room;

static void on_dropped(void *owner, SegmentStream *stream, int64_t first) {
    assert_int_equal(segment_stream_first(stream), first);
    ((Room *)owner)->dropped++;
}

static void on_forgotten(void *owner, SegmentStream *stream) {
    assert_true(segment_stream_finished(stream));
    ((Room *)owner)->forgotten++;
}

static void open_room(Room *room) {
    assert_int_equal(segment_store_open(&room->options, 5, WALL, &room->store, &room->report), 0);
}

static void room_init(Room *room) {
    *room = (Room){.disk = simulated_disk_new(1)};
    room->options = (SegmentOptions){
        .files = simulated_disk_files(room->disk),
        .folder = "/segments",
        .dropped = on_dropped,
        .forgotten = on_forgotten,
        .owner = room,
    };
}

static void room_done(Room *room) {
    segment_store_close(room->store);
    simulated_disk_free(room->disk);
    buf_done(&room->report);
}

static void reopen(Room *room, bool power) {
    segment_store_close(room->store);
    simulated_disk_crash(room->disk, power);
    open_room(room);
}

static SegmentStream *stream_of(Room *room, const char *name) {
    SegmentStream *stream;
    assert_int_equal(segment_store_stream(room->store, span_of(name), &stream), 0);
    return stream;
}

static void tidy_all(Room *room) {
    int r;
    while ((r = segment_store_tidy(room->store, WALL)) == 1)
        ;
    assert_int_equal(r, 0);
}

/* All that can be read from an offset on; what is lost as "<size>". */
static const char *text_from(SegmentStream *stream, int64_t from, Buf *out) {
    SegmentCursor *cursor = segment_cursor_new(stream, from);
    SegmentChunk chunk;
    int r;
    buf_clear(out);
    while ((r = segment_cursor_next(cursor, &chunk)) == 1) {
        assert_int_equal(chunk.offset + chunk.size, segment_cursor_offset(cursor));
        if (chunk.lost)
            buf_printf(out, "<%lld>", (long long)chunk.size);
        else
            buf_add(out, chunk.bytes);
    }
    assert_int_equal(r, 0);
    segment_cursor_free(cursor);
    return buf_cstr(out);
}

static void each_byte_is_stored_once(void **state) {
    (void)state;
    Room room;
    Buf text = {0};
    room_init(&room);
    open_room(&room);
    SegmentStream *out = stream_of(&room, "calc-1.1/stdout"), *err = stream_of(&room, "err");
    assert_int_equal(segment_store_append(out, 0, SPAN("hello "), WALL), 0);
    assert_int_equal(segment_store_append(err, 0, SPAN("oops"), WALL), 0);
    assert_int_equal(segment_store_append(out, 0, SPAN("hello wor"), WALL), 0);
    assert_int_equal(segment_store_append(out, 3, SPAN("lo"), WALL), 0);
    assert_int_equal(segment_store_append(out, 9, SPAN("ld"), WALL), 0);
    assert_int_equal(segment_store_append(out, 12, SPAN("x"), WALL), -ERANGE);
    assert_int_equal(segment_store_lose(out, 20, WALL), 0);
    assert_int_equal(segment_store_append(out, 20, SPAN("!"), WALL), 0);
    for (int i = 0; i < 4; i++) { /* in the buffer, in the file, after a restart, packed */
        assert_string_equal(text_from(out, 0, &text), "hello world<9>!");
        assert_string_equal(text_from(out, 13, &text), "<7>!");
        assert_string_equal(text_from(err, 2, &text), "ps");
        assert_string_equal(text_from(err, 4, &text), "");
        assert_int_equal(segment_store_sync(room.store), 0);
        if (i == 0)
            continue;
        if (i == 2)
            room.options.segment_bytes = 64; /* the next append closes it, and packing follows */
        reopen(&room, i == 1);
        assert_int_equal(room.report.len, 0);
        out = segment_store_find(room.store, SPAN("calc-1.1/stdout"));
        err = segment_store_find(room.store, SPAN("err"));
        assert_int_equal(segment_stream_end(out), 21);
        if (i == 2) {
            assert_int_equal(segment_store_append(stream_of(&room, "new"), 0, SPAN("x"), WALL), 0);
            tidy_all(&room);
        }
    }
    assert_int_equal(segment_store_usage(room.store).streams, 3);
    buf_done(&text);
    room_done(&room);
}

static void wrong_calls_are_refused(void **state) {
    (void)state;
    Room room;
    room_init(&room);
    open_room(&room);
    char name[SEGMENT_NAME_MAX + 1] = {0};
    SegmentStream *stream;
    assert_int_equal(segment_store_stream(room.store, (Span){0}, &stream), -EMSGSIZE);
    assert_int_equal(segment_store_stream(room.store, span(name, sizeof name), &stream), -EMSGSIZE);
    stream = stream_of(&room, "one");
    assert_int_equal(segment_store_finish(stream), 0);
    assert_int_equal(segment_store_append(stream, 0, SPAN("x"), WALL), -EPIPE);
    assert_int_equal(segment_store_append(stream, 0, (Span){0}, WALL), 0);
    room_done(&room);
}

static void a_full_disk_loses_nothing(void **state) {
    (void)state;
    Room room;
    Buf text = {0};
    room_init(&room);
    open_room(&room);
    SegmentStream *stream = stream_of(&room, "s");
    simulated_disk_limit(room.disk, 100);
    assert_int_equal(segment_store_append(stream, 0, SPAN("0123456789"), WALL), 0);
    char more[100];
    memset(more, 'x', sizeof more);
    assert_int_equal(segment_store_append(stream, 10, span(more, sizeof more), WALL), 0);
    assert_int_equal(segment_store_sync(room.store), -ENOSPC);
    assert_int_equal(segment_store_append(stream, 110, SPAN("y"), WALL), 0);
    simulated_disk_limit(room.disk, 0);
    assert_int_equal(segment_store_sync(room.store), 0);
    reopen(&room, true);
    stream = stream_of(&room, "s");
    assert_int_equal(segment_stream_end(stream), 111);
    assert_string_equal(text_from(stream, 108, &text), "xxy");
    buf_done(&text);
    room_done(&room);
}

/* Some text that packs badly, a line at a time. */
static void append_lines(SegmentStream *stream, int count, Nanos wall) {
    for (int i = 0; i < count; i++) {
        char line[64];
        int64_t end = segment_stream_end(stream);
        int len =
            snprintf(line, sizeof line, "%016llx\n", (unsigned long long)end * 0x9e3779b97f4a7c15u);
        assert_int_equal(segment_store_append(stream, end, span(line, (size_t)len), wall), 0);
    }
}

static void limits_drop_the_oldest(void **state) {
    (void)state;
    Room room;
    Buf text = {0};
    room_init(&room);
    room.options.segment_bytes = 300000;
    room.options.total_bytes = 400000;
    room.options.stream_bytes = 500000;
    open_room(&room);
    SegmentStream *quiet = stream_of(&room, "quiet"), *over = stream_of(&room, "over");
    append_lines(quiet, 1, WALL);
    append_lines(over, 1, WALL);
    assert_int_equal(segment_store_finish(over), 0);
    SegmentStream *noisy = stream_of(&room, "noisy");
    for (int i = 0; i < 40; i++) {
        append_lines(noisy, 2000, WALL);
        tidy_all(&room);
        assert_in_range(segment_stream_end(noisy) - segment_stream_first(noisy), 0, 600000);
        assert_in_range(segment_store_usage(room.store).bytes, 0, 400000);
    }
    assert_in_range(segment_stream_end(noisy) - segment_stream_first(noisy), 100000, 600000);
    assert_int_equal(room.forgotten, 1); /* "over" was finished; "quiet" is remembered */
    assert_null(segment_store_find(room.store, SPAN("over")));
    assert_int_equal(segment_stream_first(quiet), 17);
    assert_int_equal(segment_store_sync(room.store), 0);
    reopen(&room, true);
    quiet = segment_store_find(room.store, SPAN("quiet"));
    assert_int_equal(segment_stream_end(quiet), 17);
    assert_string_equal(text_from(quiet, 0, &text), "<17>");
    buf_done(&text);
    room_done(&room);
}

static void what_is_old_goes(void **state) {
    (void)state;
    Room room;
    room_init(&room);
    room.options.age = 800 * NANOS_PER_SECOND;
    open_room(&room);
    SegmentStream *stream = stream_of(&room, "s");
    for (int i = 0; i < 200; i++) {
        Nanos now = WALL + i * 10 * NANOS_PER_SECOND;
        append_lines(stream, 1, now);
        while (segment_store_tidy(room.store, now) == 1)
            ;
    }
    int64_t kept = segment_stream_end(stream) - segment_stream_first(stream);
    assert_in_range(kept, 17 * 80, 17 * 102);
    /* Where to look for an instant. */
    int64_t from = segment_stream_seek(stream, WALL + 1500 * NANOS_PER_SECOND);
    assert_in_range(from, 17 * 130, 17 * 150);
    room_done(&room);
}

static void a_quiet_stream_outlives_a_noisy_one(void **state) {
    (void)state;
    Room room;
    Buf text = {0};
    room_init(&room);
    room.options.segment_bytes = 200000;
    room.options.total_bytes = 1000000;
    room.options.stream_bytes = 300000;
    open_room(&room);
    SegmentStream *quiet = stream_of(&room, "quiet"), *noisy = stream_of(&room, "noisy");
    for (int i = 0; i < 300; i++) {
        append_lines(quiet, 1, WALL);
        append_lines(noisy, 500, WALL);
        tidy_all(&room);
    }
    assert_int_equal(segment_stream_first(quiet), 0);
    assert_int_equal(strlen(text_from(quiet, 0, &text)), 300 * 17);
    assert_null(strchr(text.ptr, '<'));
    buf_done(&text);
    room_done(&room);
}

/* ---- damage ---- */

static void damage(Room *room, const char *path, int64_t at) {
    File *file;
    assert_int_equal(files_open(room->options.files, path, FILE_WRITE, &file), 0);
    if (at < 0)
        at += file_size(file);
    assert_int_equal(file_write(file, at, SPAN("damage!!")), 0);
    file_close(file);
}

static bool has_file(Room *room, const char *part) {
    FileNames names;
    bool found = false;
    assert_int_equal(files_list(room->options.files, "/segments", &names), 0);
    for (size_t i = 0; i < names.count; i++)
        found |= strstr(names.items[i], part) != NULL;
    file_names_done(&names);
    return found;
}

static void damage_is_set_aside_and_the_rest_saved(void **state) {
    (void)state;
    Room room;
    Buf text = {0};
    room_init(&room);
    open_room(&room);
    SegmentStream *stream = stream_of(&room, "s");
    for (int i = 0; i < 4; i++) {
        assert_int_equal(segment_store_append(stream, i * 4, SPAN("abc\n"), WALL), 0);
        assert_int_equal(segment_store_sync(room.store), 0);
    }
    /* The second record: header 32, name 40, bytes 40, mark 32. */
    damage(&room, "/segments/0000000000000001.raw", 32 + 40 + 40 + 32 + 33);
    reopen(&room, false);
    assert_non_null(
        strstr(buf_cstr(&room.report), "0000000000000001.raw: was damaged; it is kept"));
    assert_true(has_file(&room, "0000000000000001.raw.damaged-2026"));
    stream = stream_of(&room, "s");
    assert_string_equal(text_from(stream, 0, &text), "abc\n<4>abc\nabc\n");
    assert_int_equal(segment_store_append(stream, 16, SPAN("on\n"), WALL), 0);
    tidy_all(&room);
    assert_true(has_file(&room, "0000000000000001.pack"));
    assert_int_equal(segment_store_sync(room.store), 0);
    damage(&room, "/segments/0000000000000001.pack", -8); /* its trailer */
    reopen(&room, true);
    assert_non_null(strstr(buf_cstr(&room.report), "0000000000000001.pack: was damaged"));
    stream = stream_of(&room, "s");
    assert_string_equal(text_from(stream, 0, &text), "abc\n<4>abc\nabc\non\n");
    tidy_all(&room);
    damage(&room, "/segments/0000000000000001.pack", 32 + 20); /* a block: found when read */
    reopen(&room, false);
    assert_int_equal(room.report.len, 0);
    stream = stream_of(&room, "s");
    assert_string_equal(text_from(stream, 0, &text), "<16>on\n");
    damage(&room, "/segments/0000000000000001.pack", 0); /* its header: nothing is sure */
    reopen(&room, false);
    assert_non_null(strstr(buf_cstr(&room.report), "nothing in it can be read"));
    stream = stream_of(&room, "s");
    assert_string_equal(text_from(stream, 0, &text), "<16>on\n");
    buf_done(&text);
    room_done(&room);
}

/* ---- against a model, on a disk that fails ---- */

#define STREAMS 6
#define MODELS  8 /* in a test; another TEST_SEED makes others */

typedef struct Lost {
    int64_t from, to;
} Lost;

typedef struct Expected {
    char name[16];
    int64_t end, acknowledged;
    bool finished, finish_acknowledged;
    int64_t first; /* what was dropped so far */
    ARRAY(Lost) lost;
    SegmentStream *stream;
    SegmentCursor *cursor;
} Expected;

typedef struct Model {
    TestRandom random;
    SimulatedDisk *disk;
    SegmentOptions options;
    SegmentStore *store;
    Buf report;
    Expected all[STREAMS];
    int made;
    Nanos now;
    uint64_t seed;
} Model;

static uint64_t below(Model *model, uint64_t bound) {
    return test_random_below(&model->random, bound);
}

static char byte_at(const Expected *expected, int64_t offset) {
    return (char)(offset * 131 + (offset >> 9) + expected->name[1] * 7);
}

static bool is_lost(const Expected *expected, int64_t offset) {
    for (size_t i = 0; i < expected->lost.count; i++)
        if (offset >= expected->lost.items[i].from && offset < expected->lost.items[i].to)
            return true;
    return false;
}

static void expect_anew(Model *model, Expected *expected) {
    array_done(&expected->lost);
    *expected = (Expected){0};
    snprintf(expected->name, sizeof expected->name, "s%d", model->made++);
}

static void model_dropped(void *owner, SegmentStream *stream, int64_t first) {
    Expected *expected = segment_stream_user(stream);
    if (!expected) /* forgotten, and brought back by a power cut */
        return;
    assert_true(first <= expected->end);
    if (first > expected->first) /* a restart may bring dropped bytes back for a while */
        expected->first = first;
}

static void model_forgotten(void *owner, SegmentStream *stream) {
    Expected *expected = segment_stream_user(stream);
    if (!expected)
        return;
    assert_true(expected->finished);
    expect_anew(owner, expected);
}

static void check_chunk(const Expected *expected, const SegmentChunk *chunk) {
    for (int64_t i = 0; i < chunk->size; i++) {
        int64_t at = chunk->offset + i;
        if (chunk->lost && at >= expected->first && !is_lost(expected, at))
            fail_msg("%s: %lld is lost, of %lld to %lld", expected->name, (long long)at,
                     (long long)expected->first, (long long)expected->end);
        if (!chunk->lost && (chunk->bytes.ptr[i] != byte_at(expected, at) || is_lost(expected, at)))
            fail_msg("%s: wrong byte at %lld", expected->name, (long long)at);
    }
}

/* Reads up to `limit` chunks; true when nothing follows. */
static bool check_read(Model *model, Expected *expected, SegmentCursor *cursor, int limit) {
    SegmentChunk chunk;
    for (int i = 0; i < limit; i++) {
        int64_t before = segment_cursor_offset(cursor);
        int r = segment_cursor_next(cursor, &chunk);
        if (r < 0) {
            assert_true(simulated_disk_is_dead(model->disk));
            return false;
        }
        if (r == 0) {
            assert_true(before >= expected->end);
            return true;
        }
        assert_int_equal(chunk.offset, before);
        check_chunk(expected, &chunk);
    }
    return false;
}

/* What a restart shows must be what was acknowledged, or more that was written, and nothing
 * else. */
static void check_restart(Model *model, Expected *expected) {
    SegmentStream *stream = segment_store_find(model->store, span_of(expected->name));
    if (!stream) {
        bool may_be_gone = expected->acknowledged == 0 || expected->finished;
        if (!may_be_gone)
            fail_msg("seed %llu: %s is gone", (unsigned long long)model->seed, expected->name);
        expect_anew(model, expected);
        return;
    }
    int64_t end = segment_stream_end(stream);
    if (end < expected->acknowledged || end > expected->end)
        fail_msg("seed %llu: %s ends at %lld, acknowledged %lld, written %lld",
                 (unsigned long long)model->seed, expected->name, (long long)end,
                 (long long)expected->acknowledged, (long long)expected->end);
    assert_true(segment_stream_first(stream) <= expected->first ||
                segment_stream_first(stream) <= end);
    bool finished = segment_stream_finished(stream);
    assert_true(finished || !expected->finish_acknowledged);
    assert_true(!finished || expected->finished);
    expected->finished = expected->finish_acknowledged = finished;
    expected->end = expected->acknowledged = end;
    for (size_t i = 0; i < expected->lost.count; i++)
        if (expected->lost.items[i].to > end)
            expected->lost.items[i].to = end;
    if (expected->first > end)
        expected->first = end;
    if (segment_stream_first(stream) > expected->first) /* dropped, and killed in the middle */
        expected->first = segment_stream_first(stream);
    segment_stream_set_user(stream, expected);
    SegmentCursor *cursor = segment_cursor_new(stream, 0);
    assert_true(check_read(model, expected, cursor, INT32_MAX));
    segment_cursor_free(cursor);
}

static void model_open(Model *model) {
    /* Now and then it is killed while it recovers. */
    for (int i = 0; i < 3; i++) {
        if (below(model, 3) == 0)
            simulated_disk_kill_after(model->disk, below(model, 12));
        int r = segment_store_open(&model->options, below(model, UINT32_MAX), model->now,
                                   &model->store, &model->report);
        if (r == 0 && !simulated_disk_is_dead(model->disk)) {
            simulated_disk_crash(model->disk, false);
            break;
        }
        if (r == 0)
            segment_store_close(model->store);
        simulated_disk_crash(model->disk, below(model, 2));
        model->store = NULL;
    }
    if (!model->store)
        assert_int_equal(
            segment_store_open(&model->options, 1, model->now, &model->store, &model->report), 0);
    if (model->report.len)
        fail_msg("seed %llu: %s", (unsigned long long)model->seed, buf_cstr(&model->report));
    for (int i = 0; i < STREAMS; i++)
        check_restart(model, &model->all[i]);
}

static void model_close(Model *model) {
    for (int i = 0; i < STREAMS; i++) {
        Expected *expected = &model->all[i];
        expected->finished |= expected->finish_acknowledged;
        SegmentCursor *cursor = expected->cursor;
        expected->cursor = NULL;
        expected->stream = NULL;
        if (cursor)
            segment_cursor_free(cursor);
    }
    segment_store_close(model->store);
    model->store = NULL;
}

static void model_append(Model *model, Expected *expected) {
    SegmentStream *stream = expected->stream;
    int64_t back = (int64_t)below(model, 50), size = (int64_t)below(model, 400);
    if (below(model, 40) == 0)
        size = (int64_t)below(model, 150000);
    int64_t from = expected->end > back ? expected->end - back : 0;
    char *bytes = xmalloc((size_t)(back + size) + 1);
    for (int64_t i = 0; i < back + size; i++)
        bytes[i] = byte_at(expected, from + i);
    segment_store_append(stream, from, span(bytes, (size_t)(back + size)), model->now);
    free(bytes);
    assert_true(segment_stream_end(stream) <= from + back + size || back + size == 0);
    expected->end = segment_stream_end(stream);
}

static void model_lose(Model *model, Expected *expected) {
    int64_t until = expected->end + 1 + (int64_t)below(model, 1000);
    if (segment_store_lose(expected->stream, until, model->now) < 0)
        return;
    *array_push(&expected->lost) = (Lost){expected->end, until};
    expected->end = until;
}

static void model_sync(Model *model) {
    if (segment_store_sync(model->store) < 0)
        return;
    for (int i = 0; i < STREAMS; i++) {
        Expected *expected = &model->all[i];
        expected->acknowledged = expected->end;
        expected->finish_acknowledged = expected->finished;
    }
}

static void model_step(Model *model) {
    Expected *expected = &model->all[below(model, STREAMS)];
    SegmentStream *stream;
    assert_int_equal(segment_store_stream(model->store, span_of(expected->name), &stream), 0);
    segment_stream_set_user(stream, expected);
    expected->stream = stream;
    model->now += (Nanos)below(model, NANOS_PER_SECOND);
    uint64_t what = below(model, 100);
    if (what < 60 && !expected->finished) {
        model_append(model, expected);
    } else if (what < 62 && !expected->finished) {
        model_lose(model, expected);
    } else if (what == 62 && !expected->finished) {
        expected->finished = segment_store_finish(stream) == 0;
    } else if (what < 75) {
        model_sync(model);
    } else if (what < 90) {
        segment_store_tidy(model->store, model->now);
    } else if (expected->cursor) {
        check_read(model, expected, expected->cursor, 20);
        if (below(model, 4) == 0) {
            SegmentCursor *cursor = expected->cursor;
            expected->cursor = NULL;
            segment_cursor_free(cursor);
        }
    } else {
        expected->cursor =
            segment_cursor_new(stream, (int64_t)below(model, 1 + (uint64_t)expected->end));
    }
}

static void run_model(uint64_t seed, bool faults, int rounds) {
    Model model = {.random = {seed}, .disk = simulated_disk_new(seed), .seed = seed, .now = WALL};
    model.options = (SegmentOptions){
        .files = simulated_disk_files(model.disk),
        .folder = "/segments",
        .segment_bytes = 20000 + (int64_t)below(&model, 200000),
        .total_bytes = 100000 + (int64_t)below(&model, 2000000),
        .stream_bytes = 50000 + (int64_t)below(&model, 1000000),
        .age = below(&model, 2) ? 500 * NANOS_PER_SECOND : 0,
        .dropped = model_dropped,
        .forgotten = model_forgotten,
        .owner = &model,
    };
    for (int i = 0; i < STREAMS; i++)
        expect_anew(&model, &model.all[i]);
    for (int round = 0; round < rounds; round++) {
        model_open(&model);
        simulated_disk_kill_after(model.disk, below(&model, 150));
        if (faults)
            simulated_disk_fail(model.disk, below(&model, 2) ? 20000 : 0,
                                below(&model, 2) ? 20000 : 0);
        if (below(&model, 4) == 0)
            simulated_disk_limit(model.disk, (int64_t)below(&model, 500000) + 1);
        for (int step = 0; step < 2000 && !simulated_disk_is_dead(model.disk); step++)
            model_step(&model);
        model_close(&model);
        simulated_disk_crash(model.disk, below(&model, 4) != 0);
        simulated_disk_fail(model.disk, 0, 0);
        simulated_disk_limit(model.disk, 0);
    }
    model_open(&model);
    model_close(&model);
    for (int i = 0; i < STREAMS; i++)
        array_done(&model.all[i].lost);
    buf_done(&model.report);
    simulated_disk_free(model.disk);
}

static void what_was_synced_survives_a_power_cut(void **state) {
    (void)state;
    TestRandom random = test_random();
    for (int i = 0; i < MODELS; i++)
        run_model(test_random_bits(&random), false, 12);
}

static void what_was_synced_survives_a_failing_disk(void **state) {
    (void)state;
    TestRandom random = test_random();
    for (int i = 0; i < MODELS; i++)
        run_model(test_random_bits(&random), true, 12);
}

/* ---- kill -9, on the machine's files ---- */

static const SegmentOptions REAL = {.segment_bytes = 100000, .total_bytes = 2000000};

static int open_real(const char *folder, SegmentStore **ret, Buf *report) {
    SegmentOptions options = REAL;
    options.files = files_real();
    options.folder = folder;
    return segment_store_open(&options, 7, WALL, ret, report);
}

/* Goes on where the stream ends, and tells what is safe. */
static void append_until_killed(const char *folder, int pipe) {
    Buf report = {0};
    SegmentStore *store;
    SegmentStream *stream;
    if (open_real(folder, &store, &report) < 0 ||
        segment_store_stream(store, SPAN("out"), &stream) < 0)
        _exit(1);
    static const Expected PATTERN = {.name = "s0"};
    char bytes[700];
    for (;;) {
        int64_t end = segment_stream_end(stream);
        for (int64_t i = 0; i < (int64_t)sizeof bytes; i++)
            bytes[i] = byte_at(&PATTERN, end + i);
        if (segment_store_append(stream, end, span(bytes, sizeof bytes), WALL) < 0 ||
            segment_store_sync(store) < 0 || segment_store_tidy(store, WALL) < 0)
            _exit(1);
        end = segment_stream_end(stream);
        if (write(pipe, &end, sizeof end) < 0)
            _exit(1);
    }
}

static int64_t run_and_kill(const char *folder, useconds_t after) {
    int pipes[2], status;
    int64_t safe = 0;
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0)
        append_until_killed(folder, pipes[1]);
    close(pipes[1]);
    usleep(after);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    while (read(pipes[0], &safe, sizeof safe) == sizeof safe)
        ;
    close(pipes[0]);
    return safe;
}

static void what_was_synced_survives_a_kill(void **state) {
    (void)state;
    TestRandom random = test_random();
    char folder[] = "/tmp/muster-segments-XXXXXX";
    assert_non_null(mkdtemp(folder));
    Model model = {.disk = simulated_disk_new(1)};
    Expected expected = {.name = "s0"};
    for (int round = 0; round < 20; round++) {
        int64_t safe = run_and_kill(folder, (useconds_t)test_random_below(&random, 30000));
        SegmentStore *store;
        SegmentStream *stream;
        assert_int_equal(open_real(folder, &store, &model.report), 0);
        assert_int_equal(model.report.len, 0);
        assert_int_equal(segment_store_stream(store, SPAN("out"), &stream), 0);
        assert_true(segment_stream_end(stream) >= safe);
        assert_true(segment_stream_end(stream) >= expected.end);
        expected.end = segment_stream_end(stream);
        expected.first = segment_stream_first(stream);
        SegmentCursor *cursor = segment_cursor_new(stream, 0);
        assert_true(check_read(&model, &expected, cursor, INT32_MAX));
        segment_cursor_free(cursor);
        segment_store_close(store);
    }
    assert_true(expected.end > 0);
    buf_done(&model.report);
    simulated_disk_free(model.disk);
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_byte_is_stored_once),
        cmocka_unit_test(wrong_calls_are_refused),
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(limits_drop_the_oldest),
        cmocka_unit_test(what_is_old_goes),
        cmocka_unit_test(a_quiet_stream_outlives_a_noisy_one),
        cmocka_unit_test(damage_is_set_aside_and_the_rest_saved),
        cmocka_unit_test(what_was_synced_survives_a_power_cut),
        cmocka_unit_test(what_was_synced_survives_a_failing_disk),
        cmocka_unit_test(what_was_synced_survives_a_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
