/* What processes print: from the rings into segments, from there into entries. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "services/logs/line.h"
#include "services/logs/log_actor.h"

#define READ_TURN (512 * 1024)       /* bytes of one ring before the others have their turn */
#define LIVES_MAX 8                  /* of a replica, whose bytes can still be told apart */
#define HELD_MAX  (RING_DEFAULT / 4) /* bytes that stay in rings until the next tick */

/* ---- places ---- */

static const char *const STREAM_NAMES[] = {"", "stdout", "stderr", "", "terminal", "input"};

static void place_name(Span service, uint32_t replica, int32_t stream, Buf *out) {
    buf_printf(out, "%.*s/%u/%s", SPAN_ARGS(service), replica, STREAM_NAMES[stream]);
}

/* The service and replica of "calc/0/stdout"; a service's name may have '/'. */
static bool read_place(Span place, Span *ret_service, uint32_t *ret_replica) {
    size_t slashes[2], found = 0;
    for (size_t i = place.len; i-- && found < 2;)
        if (place.ptr[i] == '/')
            slashes[found++] = i;
    uint64_t replica;
    if (found < 2 ||
        !parse_u64(span(place.ptr + slashes[1] + 1, slashes[0] - slashes[1] - 1), &replica))
        return false;
    *ret_service = span(place.ptr, slashes[1]);
    *ret_replica = (uint32_t)replica;
    return true;
}

static Output *find_output(LogActor *actor, const SegmentStream *place) {
    LIST_EACH (&actor->outputs, link) {
        Output *output = CONTAINER(link, Output, link);
        if (output->place == place)
            return output;
    }
    return NULL;
}

static Output *open_output(LogActor *actor, LogSourceName *name) {
    Output *output = find_output(actor, name->place);
    if (output)
        return output;
    output = xcalloc(1, sizeof *output);
    output->place = name->place;
    output->stream = name->is.stream;
    if (!read_place(name->is.place, &output->service, &output->replica))
        output->service = name->is.service;
    output->from = segment_stream_end(output->place);
    list_push_back(&actor->outputs, &output->link);
    return output;
}

static void add_life(LogActor *actor, Output *output, LogSourceName *name) {
    if (output->lives.count && output->lives.items[output->lives.count - 1] == name)
        return;
    if (output->lives.count == LIVES_MAX) {
        log_store_keep_source(actor->store, output->lives.items[0], false);
        array_remove(&output->lives, 0, 1);
    }
    *array_push(&output->lives) = name;
    log_store_keep_source(actor->store, name, true);
}

/* ---- entries ---- */

/* Whatever is complete of what is pending becomes entries. */
static void take_entries(LogActor *actor, Output *output, LinesMore more) {
    if (!output->lives.count)
        return;
    LogSourceName *name = output->lives.items[output->lives.count - 1];
    size_t at = 0;
    for (;;) {
        Span pending = span(output->pending.ptr + at, output->pending.len - at);
        LinesEntry line;
        arena_reset(&actor->arena);
        if (!lines_next(&output->lines, pending, more, &actor->arena, &line))
            break;
        RtLogEntry entry = {0};
        if (!line.remains)
            line_parse(line.text, actor->wall, actor->mask, &actor->arena, &entry);
        log_store_add(actor->store, name, output->from + (int64_t)at, span(pending.ptr, line.size),
                      line.remains ? NULL : &entry);
        at += line.size;
    }
    if (at)
        memmove(output->pending.ptr, output->pending.ptr + at, output->pending.len - at);
    output->pending.len -= at;
    output->from += (int64_t)at;
    output->fresh = true;
}

static void note_lost(LogActor *actor, LogCapture *capture) {
    uint64_t lost = ring_lost(capture->ring);
    if (lost == capture->lost)
        return;
    log_actor_note(actor, RT_LOG_LEVEL_WARN, capture->source.service,
                   "%llu bytes of %s were dropped: they came faster than they could be stored",
                   (unsigned long long)(lost - capture->lost),
                   STREAM_NAMES[capture->source.stream]);
    capture->lost = lost;
}

bool log_outputs_idle(LogActor *actor) {
    bool waiting = false;
    /* What is lost while the disk fails is told once, when it works again: more may be to come. */
    if (!actor->failed)
        LIST_EACH (&actor->captures, link)
            note_lost(actor, CONTAINER(link, LogCapture, link));
    LIST_EACH (&actor->outputs, link) {
        Output *output = CONTAINER(link, Output, link);
        if (!output->pending.len)
            continue;
        if (!output->fresh)
            take_entries(actor, output, LINES_IDLE);
        waiting |= output->fresh;
        output->fresh = false;
    }
    return waiting;
}

/* ---- rings ---- */

/* Appends what lies at the ring's position. */
static int append(LogActor *actor, LogCapture *capture, Span bytes) {
    Output *output = capture->output;
    int64_t offset = capture->name->is.base + (int64_t)capture->position;
    int r = segment_store_append(output->place, offset, bytes, actor->wall);
    if (r == -ERANGE) { /* the store has lost what lies between; the ring no longer has it */
        r = segment_store_lose(output->place, offset, actor->wall);
        if (r == 0)
            r = segment_store_append(output->place, offset, bytes, actor->wall);
    }
    if (r < 0) {
        log_actor_note_disk(actor, r);
        return r;
    }
    actor->dirty = true;
    actor->unsynced += bytes.len;
    actor->held += bytes.len;
    capture->position += bytes.len;
    if (!output->pending.len)
        output->from = offset;
    buf_add(&output->pending, bytes);
    return 0;
}

static void release(LogActor *actor) {
    LIST_EACH (&actor->captures, link) {
        LogCapture *capture = CONTAINER(link, LogCapture, link);
        ring_release(capture->ring, capture->position);
    }
    actor->held = 0;
}

/* Rings let go what is with the system: it outlives this program as they do. Before it is taken
 * apart, so that the writer goes on meanwhile. */
static void hand_over(LogActor *actor) {
    if (actor->held < HELD_MAX)
        return;
    int r = log_store_hand_over(actor->store);
    log_actor_note_disk(actor, r);
    if (r == 0)
        release(actor);
}

/* Reads for a turn: 1 when there is more, negative when the disk does not take it. */
static int read_ring(LogActor *actor, LogCapture *capture) {
    size_t turn = 0;
    bool closed = ring_closed(capture->ring);
    while (turn < READ_TURN && !actor->broken) {
        Span bytes = ring_peek(capture->ring, capture->position);
        if (!bytes.len)
            break;
        if (bytes.len > READ_TURN / 4)
            bytes.len = READ_TURN / 4;
        int r = append(actor, capture, bytes);
        if (r < 0)
            return r;
        turn += bytes.len;
        hand_over(actor);
        take_entries(actor, capture->output, LINES_COMING);
    }
    note_lost(actor, capture);
    if (turn >= READ_TURN)
        return 1;
    capture->ended = capture->ending || closed;
    return 0;
}

/* Gives it back to the loop. */
static void capture_done(LogActor *actor, LogCapture *capture) {
    ring_reader_free(capture->ring);
    capture->ring = NULL;
    list_remove(&capture->link);
    log_actor_reply(actor, &capture->drained);
}

bool log_outputs_read(LogActor *actor) {
    bool more = false;
    LIST_EACH (&actor->captures, link) {
        LogCapture *capture = CONTAINER(link, LogCapture, link);
        if (!capture->reading)
            continue;
        int r = read_ring(actor, capture);
        more |= r > 0;
        capture->reading =
            r != 0; /* what the disk refuses is tried again, with a tick at the latest */
    }
    return more;
}

void log_outputs_synced(LogActor *actor) {
    release(actor);
    LIST_EACH (&actor->captures, link) {
        LogCapture *capture = CONTAINER(link, LogCapture, link);
        if (capture->ending && capture->ended)
            capture_done(actor, capture);
    }
}

/* ---- captures ---- */

/* Where in its stream the life begins: known from an earlier run of the program, or where the
 * stream ends now. */
static void find_position(LogCapture *capture, bool known) {
    LogSourceName *name = capture->name;
    int64_t end = segment_stream_end(name->place);
    int64_t tail = (int64_t)ring_tail(capture->ring), head = (int64_t)ring_head(capture->ring);
    if (!known || end - name->is.base > head)
        name->is.base = end - tail;
    int64_t position = end - name->is.base;
    capture->position = (uint64_t)(position > tail ? position : tail);
    RingGap gaps[RING_GAPS];
    size_t count = ring_gaps(capture->ring, capture->position, UINT64_MAX, gaps);
    capture->lost = ring_lost(capture->ring);
    for (size_t i = 0; i < count; i++)
        capture->lost -= gaps[i].bytes < capture->lost ? gaps[i].bytes : capture->lost;
}

void log_capture_run(LogActor *actor, LogTask *task) {
    LogCapture *capture = CONTAINER(task, LogCapture, task);
    Buf place = {0};
    place_name(capture->source.service, capture->source.replica, (int32_t)capture->source.stream,
               &place);
    RowSource source = {
        .place = buf_span(&place),
        .service = capture->source.service,
        .instance = capture->source.instance,
        .run = capture->source.run,
        .stream = (int32_t)capture->source.stream,
    };
    int r = log_store_source(actor->store, &source, &capture->name);
    buf_done(&place);
    if (r < 0) { /* too many streams: nothing of it can be kept */
        log_actor_note(actor, RT_LOG_LEVEL_ERROR, capture->source.service,
                       "its output cannot be kept: too many streams");
        ring_reader_free(capture->ring);
        capture->ring = NULL;
        return;
    }
    Output *output = capture->output = open_output(actor, capture->name);
    bool known =
        output->lives.count && output->lives.items[output->lives.count - 1] == capture->name;
    if (!known)
        take_entries(actor, output, LINES_ENDED);
    find_position(capture, known);
    add_life(actor, output, capture->name);
    capture->reading = true;
    list_push_back(&actor->captures, &capture->link);
    log_followers_offer(actor, output);
}

void log_capture_ready_run(LogActor *actor, LogTask *task) {
    LogCapture *capture = CONTAINER(task, LogCapture, ready);
    atomic_store(&capture->rung, false);
    capture->reading = capture->ring != NULL;
}

void log_capture_end_run(LogActor *actor, LogTask *task) {
    LogCapture *capture = CONTAINER(task, LogCapture, end);
    if (!capture->ring) {
        log_actor_reply(actor, &capture->drained);
        return;
    }
    while (read_ring(actor, capture))
        ;
    take_entries(actor, capture->output, LINES_ENDED);
    capture->ending = capture->ended = true;
    capture->reading = false;
    actor->dirty = true; /* so that the next sync, which is now, tells */
    actor->unsynced += LOG_SYNC_BYTES;
}

/* ---- what is left from before ---- */

/* Bytes that were appended while their entries were not: they are read again. */
static int recover_tail(LogActor *actor, Output *output) {
    const LogSourceName *name = output->lives.items[output->lives.count - 1];
    int64_t first = segment_stream_first(output->place), from = name->is.rowed;
    SegmentChunk chunk;
    if (from < name->is.base)
        from = name->is.base;
    if (from < first)
        from = first;
    SegmentCursor *cursor = segment_cursor_new(output->place, from);
    int r;
    output->from = from;
    while ((r = segment_cursor_next(cursor, &chunk)) > 0) {
        if (chunk.lost) {
            take_entries(actor, output, LINES_ENDED);
            output->from = chunk.offset + chunk.size;
            continue;
        }
        buf_add(&output->pending, chunk.bytes);
        take_entries(actor, output, LINES_COMING);
    }
    segment_cursor_free(cursor);
    return r;
}

int log_outputs_recover(LogActor *actor) {
    LogSourceName *name;
    for (size_t at = 0; (name = log_store_next_source(actor->store, &at));) {
        size_t before = at;
        add_life(actor, open_output(actor, name), name);
        at = before;
    }
    LIST_EACH (&actor->outputs, link) {
        int r = recover_tail(actor, CONTAINER(link, Output, link));
        if (r < 0)
            return r;
    }
    return 0;
}

void log_outputs_done(LogActor *actor) {
    LIST_EACH (&actor->captures, link) {
        LogCapture *capture = CONTAINER(link, LogCapture, link);
        capture_done(actor, capture);
    }
    LIST_EACH (&actor->outputs, link) {
        Output *output = CONTAINER(link, Output, link);
        list_remove(&output->link);
        buf_done(&output->pending);
        array_done(&output->lives);
        free(output);
    }
}
