/* TopologyService. */
#include "rpc/server.h"
#include "schema/codec.h"
#include "schema/wire.h"
#include "services/topology/beat.h"
#include "services/topology/internal.h"

#define INTERVAL_MIN_MS     100
#define INTERVAL_DEFAULT_MS 1000

static Topology *topology_of_call(const Call *call) {
    return call_service(call);
}

/* ---- RegisterService, UnregisterService ---- */

/* The machine that a call comes from: the address without its port. */
static Span peer_host(const HttpPeer *peer) {
    Span address = peer->address;
    for (size_t i = address.len; i > 0; i--)
        if (address.ptr[i - 1] == ':')
            return span(address.ptr, i - 1);
    return address;
}

static void register_message(Call *call, const void *request) {
    RtServiceHandle handle;
    Status status = topology_register(topology_of_call(call), request, peer_host(call_peer(call)),
                                      call_arena(call), &handle);
    if (status.code == STATUS_OK)
        call_reply(call, &handle);
    else
        call_finish(call, status);
}

static void unregister_message(Call *call, const void *message) {
    const RtServiceHandle *request = message;
    RtUnregisterResponse response = {.success = true};
    if (!topology_unregister(topology_of_call(call), request->service_id))
        response = (RtUnregisterResponse){
            .message = SPAN("no instance with this service_id is registered (any more)")};
    call_reply(call, &response);
}

/* ---- Heartbeat ---- */

static const Span ADVICE[] = {
    [BEAT_UNKNOWN] =
        SPAN("this service_id is not registered (any more): call RegisterService again"),
    [BEAT_OUTDATED] = SPAN("the interval of its heartbeats is another one now: call "
                           "RegisterService again, which tells it"),
};

static void put_bytes(char **at, uint32_t number, Span bytes) {
    *at += wire_put_varint(*at, number << 3 | WIRE_BYTES);
    *at += wire_put_varint(*at, bytes.len);
    memcpy(*at, bytes.ptr, bytes.len);
    *at += bytes.len;
}

/* A client that does not read its answers does without: beats count all the same. */
static void answer_beat(Call *call, const RtHeartbeatRequest *beat, BeatAnswer answer) {
    char encoded[64 + 2 * WIRE_VARINT_MAX + 128], *at = encoded;
    if (call_user(call))
        return;
    if (beat->sequence) {
        at += wire_put_varint(at, RtHeartbeatResponse_sequence_number << 3 | WIRE_VARINT);
        at += wire_put_varint(at, (uint64_t)beat->sequence);
    }
    if (answer == BEAT_TAKEN) {
        at += wire_put_varint(at, RtHeartbeatResponse_acknowledged_number << 3 | WIRE_VARINT);
        at += wire_put_varint(at, 1);
    }
    if (beat->service_id.len <= 64)
        put_bytes(&at, RtHeartbeatResponse_service_id_number, beat->service_id);
    if (answer != BEAT_TAKEN)
        put_bytes(&at, RtHeartbeatResponse_message_number, ADVICE[answer]);
    if (call_send_encoded(call, span(encoded, (size_t)(at - encoded))) < 0)
        call_set_user(call, call); /* slow */
}

static void heartbeat_writable(Call *call) {
    call_set_user(call, NULL);
}

static void heartbeat_message(Call *call, const void *message) {
    Span bytes = *(const Span *)message;
    RtHeartbeatRequest plain;
    const RtHeartbeatRequest *beat = &plain;
    Arena arena = {0};
    if (!beat_read_plain(bytes, &plain)) {
        void *decoded;
        SchemaError error = {0};
        if (schema_decode(&RtHeartbeatRequest_type, bytes, NULL, &arena, &decoded, &error) < 0) {
            char text[512];
            schema_error_format(&error, text, sizeof text);
            call_fail(call, STATUS_INVALID_ARGUMENT, "the beat is malformed: %s", text);
            arena_done(&arena);
            return;
        }
        beat = decoded;
    }
    answer_beat(call, beat, topology_beat(topology_of_call(call), beat));
    arena_done(&arena);
}

static void heartbeat_end(Call *call) {
    call_finish(call, status_ok());
}

/* ---- ReportActivity ---- */

typedef struct Report {
    RtActivityAck ack;
    Buf why;
} Report;

static void report_opened(Call *call) {
    Report *report = arena_zalloc(call_arena(call), sizeof *report);
    report->why.arena = call_arena(call);
    call_set_user(call, report);
}

static void report_message(Call *call, const void *event) {
    Report *report = call_user(call);
    if (topology_activity(topology_of_call(call), event, &report->why))
        report->ack.accepted++;
    else
        report->ack.rejected++;
}

static void report_end(Call *call) {
    Report *report = call_user(call);
    report->ack.message = buf_span(&report->why);
    call_reply(call, &report->ack);
}

/* ---- questions ---- */

/* An answer that is put together over several turns of the loop. */
typedef struct Gathering {
    Timer timer;
    Call *call;
    Snapshot *snapshot;
} Gathering;

/* What is told in one turn: less than a millisecond's work. */
#define GATHERED_IN_TURN 256

static bool gather(Call *call, Snapshot *snapshot) {
    if (!snapshot_step(snapshot, GATHERED_IN_TURN))
        return false;
    call_send_encoded(call, snapshot_encode(snapshot));
    call_finish(call, status_ok());
    return true;
}

static void on_gather(Timer *timer) {
    Gathering *gathering = CONTAINER(timer, Gathering, timer);
    World *world = call_world(gathering->call);
    if (!gather(gathering->call, gathering->snapshot))
        wheel_arm(world_wheel(world), timer, world_now(world));
}

static void get_closed(Call *call, StatusCode code) {
    Gathering *gathering = call_user(call);
    if (!gathering)
        return;
    wheel_cancel(world_wheel(call_world(call)), &gathering->timer);
    snapshot_free(gathering->snapshot);
}

static void get_message(Call *call, const void *query) {
    Topology *topology = topology_of_call(call);
    World *world = call_world(call);
    GraphFilter *filter;
    Status status = graph_filter_new(topology, query, call_arena(call), &filter);
    if (status.code != STATUS_OK) {
        call_finish(call, status);
        return;
    }
    Snapshot *snapshot = snapshot_new(topology, filter);
    if (gather(call, snapshot)) {
        snapshot_free(snapshot);
        return;
    }
    Gathering *gathering = arena_zalloc(call_arena(call), sizeof *gathering);
    *gathering = (Gathering){.timer = {.fire = on_gather}, .call = call, .snapshot = snapshot};
    call_set_user(call, gathering);
    wheel_arm(world_wheel(world), &gathering->timer, world_now(world));
}

static void edge_message(Call *call, const void *request) {
    RtGetTopologyEdgeResponse response;
    Status status = topology_edge(topology_of_call(call), request, call_arena(call), &response);
    if (status.code == STATUS_OK)
        call_reply(call, &response);
    else
        call_finish(call, status);
}

static void series_message(Call *call, const void *request) {
    RtGetTopologySeriesResponse response;
    Status status = topology_series(topology_of_call(call), request, call_arena(call), &response);
    if (status.code == STATUS_OK)
        call_reply(call, &response);
    else
        call_finish(call, status);
}

/* ---- WatchTopology ---- */

/* What two queries must have in common to share a view. */
static Span view_key(const RtTopologyQuery *query, Arena *arena) {
    RtTopologyQuery asked = *query;
    asked.unknown = NULL;
    asked.resume_after = NULL;
    asked.has_min_interval_ms = false;
    Span key = {0};
    schema_encode(&RtTopologyQuery_type, &asked, 0, arena, &key);
    return key;
}

static void watch_message(Call *call, const void *message) {
    Topology *topology = topology_of_call(call);
    const RtTopologyQuery *query = message;
    GraphFilter *filter;
    if (query->has_min_interval_ms && query->min_interval_ms < INTERVAL_MIN_MS) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "min_interval_ms is less than %d",
                  INTERVAL_MIN_MS);
        return;
    }
    Status status = graph_filter_new(topology, query, call_arena(call), &filter);
    if (status.code != STATUS_OK) {
        call_finish(call, status);
        return;
    }
    int32_t interval = query->has_min_interval_ms ? query->min_interval_ms : INTERVAL_DEFAULT_MS;
    const RtRevision *after = query->resume_after;
    /* What was near then is not known any more. */
    bool resumes = after && after->number > 0 && !query->depth;
    watch_serve(topology->watch, call,
                &(WatchRequest){
                    .key = view_key(query, call_arena(call)),
                    .filter = filter,
                    .interval = interval * NANOS_PER_MILLI,
                    .epoch = resumes ? (uint64_t)after->epoch : 0,
                    .number = resumes ? (uint64_t)after->number : 0,
                });
}

/* In the order of topology.proto. */
const MethodHandler TOPOLOGY_METHODS[] = {
    {.message = register_message},
    {.message = heartbeat_message, .half_closed = heartbeat_end, .writable = heartbeat_writable},
    {.opened = report_opened, .message = report_message, .half_closed = report_end},
    {.message = unregister_message},
    {.message = get_message, .closed = get_closed},
    {.message = watch_message, .writable = watch_call_writable, .closed = watch_call_closed},
    {.message = edge_message},
    {.message = series_message},
};
