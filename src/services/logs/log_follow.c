/* AttachOutput: the bytes of streams as they stand in their segments, then as they are appended. */
#include <stdlib.h>

#include "base/memory.h"
#include "schema/codec.h"
#include "services/logs/log_actor.h"

#define REPLAY_DEFAULT 65536
#define REPLAY_MAX     (16 * 1024 * 1024)
#define HIDE_REACH     256 /* bytes before a chunk with which what it hides may begin */

/* A stream that is followed. */
typedef struct FollowedPlace {
    Output *output;
    SegmentCursor *cursor;
    int64_t old; /* what lies before this offset was there when the call came */
    Buf before;  /* the end of the chunk before, as it was written, where something is hidden */
} FollowedPlace;

typedef struct Follower {
    LogReader reader;
    RtAttachOutputRequest *request; /* in the arena */
    Arena arena;
    bool begun;
    bool hides; /* by the mask */
    const Mask *mask;
    ARRAY(FollowedPlace) places;
} Follower;

static bool wants_stream(const RtAttachOutputRequest *request, int32_t stream) {
    for (uint32_t i = 0; i < request->streams.count; i++)
        if (request->streams.items[i] == stream)
            return true;
    return !request->streams.count;
}

/* The life that wrote the byte at that offset, and where the next one begins. */
static const LogSourceName *life_at(const Output *output, int64_t offset, int64_t *ret_until) {
    const LogSourceName *life = NULL;
    *ret_until = INT64_MAX;
    for (size_t i = 0; i < output->lives.count; i++) {
        const LogSourceName *one = output->lives.items[i];
        if (one->is.base > offset) {
            *ret_until = one->is.base;
            break;
        }
        life = one;
    }
    return life;
}

static bool has_instance(const Output *output, Span instance) {
    for (size_t i = 0; i < output->lives.count; i++)
        if (span_equal(output->lives.items[i]->is.instance, instance))
            return true;
    return false;
}

static bool wants(const Follower *follower, const Output *output) {
    const RtAttachOutputRequest *request = follower->request;
    if (!span_equal(output->service, request->service_name) ||
        !wants_stream(request, output->stream) ||
        (request->instance_id.len && !has_instance(output, request->instance_id)))
        return false;
    for (size_t i = 0; i < follower->places.count; i++)
        if (follower->places.items[i].output == output)
            return false;
    return true;
}

static void add_place(Follower *follower, Output *output, int64_t from) {
    int64_t first = segment_stream_first(output->place);
    *array_push(&follower->places) = (FollowedPlace){
        .output = output,
        .cursor = segment_cursor_new(output->place, from < first && from < 0 ? first : from),
        .old = segment_stream_end(output->place),
    };
}

void log_followers_offer(LogActor *actor, Output *output) {
    LIST_EACH (&actor->readers, link) {
        LogReader *reader = CONTAINER(link, LogReader, link);
        if (reader->step != log_follower_step)
            continue;
        Follower *follower = CONTAINER(reader, Follower, reader);
        if (follower->begun && wants(follower, output)) {
            add_place(follower, output, segment_stream_end(output->place));
            follower->places.items[follower->places.count - 1].old = 0;
        }
    }
}

/* Where it begins in each stream. False: it cannot. */
static bool begin(LogActor *actor, Follower *follower) {
    const RtAttachOutputRequest *request = follower->request;
    int64_t replay = request->has_replay_bytes ? request->replay_bytes : REPLAY_DEFAULT;
    if (replay < 0 || replay > REPLAY_MAX)
        replay = replay < 0 ? 0 : REPLAY_MAX;
    follower->begun = true;
    LIST_EACH (&actor->outputs, link) {
        Output *output = CONTAINER(link, Output, link);
        if (!wants(follower, output))
            continue;
        int64_t first = segment_stream_first(output->place);
        int64_t end = segment_stream_end(output->place);
        int64_t from = end - replay > first ? end - replay : first;
        if (request->has_offset)
            from = request->offset < end ? request->offset : end;
        add_place(follower, output, from);
    }
    return !request->has_offset || follower->places.count <= 1;
}

/* The chunk without what is hidden: also what began in the one before, as long as that was not the
 * most of it. */
static Span hide(const Follower *follower, FollowedPlace *place, const SegmentChunk *chunk,
                 Arena *arena) {
    Buf *before = &place->before;
    size_t skipped = before->len;
    if (chunk->lost) {
        buf_clear(before);
        return chunk->bytes;
    }
    buf_add(before, chunk->bytes);
    Span shown = mask_text(follower->mask, buf_span(before), arena);
    shown = arena_copy(arena, span_skip(shown, skipped));
    size_t kept = before->len < HIDE_REACH ? before->len : HIDE_REACH;
    memmove(before->ptr, before->ptr + before->len - kept, kept);
    before->len = kept;
    return shown;
}

/* Gives a chunk, in one message for each life that wrote it. */
static void give(Follower *follower, const FollowedPlace *place, const SegmentChunk *chunk) {
    int64_t at = chunk->offset, end = chunk->offset + chunk->size;
    while (at < end) {
        int64_t until;
        const LogSourceName *life = life_at(place->output, at, &until);
        if (until > end)
            until = end;
        RtAttachOutputResponse message = {
            .stream = place->output->stream,
            .offset = chunk->lost ? until : at,
            .timestamp = chunk->wall / NANOS_PER_MILLI,
            .instance_id = life ? life->is.instance : (Span){NULL, 0},
            .run = life ? life->is.run : 0,
            .replayed = at < place->old,
        };
        if (chunk->lost)
            message.lost_bytes = until - at;
        else
            message.data = span(chunk->bytes.ptr + (at - chunk->offset), (size_t)(until - at));
        Span instance = follower->request->instance_id;
        if (!instance.len || span_equal(instance, message.instance_id))
            log_reader_add(&follower->reader, &RtAttachOutputResponse_type, &message);
        at = until;
    }
}

int log_follower_step(LogActor *actor, LogReader *reader) {
    Follower *follower = CONTAINER(reader, Follower, reader);
    if (!follower->begun && !begin(actor, follower)) {
        log_reader_send(actor, reader, true, STATUS_INVALID_ARGUMENT,
                        "offset goes with one stream of one instance: say instance_id and streams");
        return 0;
    }
    bool more = false;
    for (size_t i = 0; i < follower->places.count; i++) {
        FollowedPlace *place = &follower->places.items[i];
        SegmentChunk chunk;
        int r = 1;
        while (reader->messages.len < READER_BATCH &&
               (r = segment_cursor_next(place->cursor, &chunk)) > 0) {
            if (follower->hides)
                chunk.bytes = hide(follower, place, &chunk, &actor->arena);
            give(follower, place, &chunk);
            arena_reset(&actor->arena);
        }
        if (r < 0) {
            log_reader_send(actor, reader, true, STATUS_DATA_LOSS, "the output cannot be read");
            return 0;
        }
        more |= r > 0;
    }
    log_reader_send(actor, reader, !more && follower->request->once, STATUS_OK, NULL);
    return more;
}

static void place_done(FollowedPlace *place) {
    segment_cursor_free(place->cursor);
    buf_done(&place->before);
}

static void leave(LogReader *reader) {
    Follower *follower = CONTAINER(reader, Follower, reader);
    for (size_t i = 0; i < follower->places.count; i++)
        place_done(&follower->places.items[i]);
    array_done(&follower->places);
}

static void follower_free(LogReader *reader) {
    Follower *follower = CONTAINER(reader, Follower, reader);
    buf_done(&reader->messages);
    arena_done(&follower->arena);
    free(follower);
}

void log_follower_mask(LogReader *reader, const Mask *mask) {
    Follower *follower = CONTAINER(reader, Follower, reader);
    follower->mask = mask;
}

LogReader *log_follower_new(const RtAttachOutputRequest *request, bool hides) {
    Follower *follower = xcalloc(1, sizeof *follower);
    follower->reader.step = log_follower_step;
    follower->reader.leave = leave;
    follower->reader.free = follower_free;
    follower->hides = hides;
    follower->request = schema_copy(&RtAttachOutputRequest_type, request, &follower->arena);
    return &follower->reader;
}
