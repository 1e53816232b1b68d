/* LoggerService, and AttachOutput: calls whose answers a reader on the actor makes. */
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "services/logs/logs_internal.h"

#define LIMIT_DEFAULT 1000
#define REPLAY_MAX    10000
#define BUCKETS_MAX   1000
#define VALUES_MAX    100

/* A call and its reader. It lives as long as the call, or until the runtime stops. */
typedef struct Reading {
    Link link;
    Call *call;
    LogReader *reader;
    LogReaderReply *held[READER_CREDIT]; /* sent, but the caller is slow: no credit for them yet */
    size_t held_count;
} Reading;

static void reply_free(LogReaderReply *reply) {
    buf_done(&reply->messages);
    free(reply);
}

static void on_reply(LogReader *reader, LogReaderReply *reply) {
    Reading *reading = reader->owner;
    Call *call = reading->call;
    Unpack in = unpack_begin(buf_span(&reply->messages));
    bool slow = false;
    while (in.at < in.end && !in.failed && !reader->leaving)
        slow |= call_send_encoded(call, unpack_text(&in)) == -EAGAIN;
    if (reader->leaving) { /* sending has ended the call: the reading is gone */
        reply_free(reply);
        return;
    }
    if (!reply->last) {
        if (slow)
            reading->held[reading->held_count++] = reply;
        else
            logs_reader_credit(reader, reply);
        return;
    }
    Status status = {.code = reply->error, .message = span_of(reply->reason)};
    reply_free(reply);
    call_finish(call, status);
}

static void start(Logs *logs, Call *call, LogReader *reader) {
    if (logs->ended) {
        reader->free(reader);
        call_fail(call, STATUS_UNAVAILABLE, LOGS_STOPPING);
        return;
    }
    Reading *reading = xcalloc(1, sizeof *reading);
    reading->call = call;
    if (!logs_reader_start(logs, reader, on_reply, reading)) {
        free(reading);
        call_fail(call, STATUS_RESOURCE_EXHAUSTED,
                  "%d queries and subscriptions are open: end some of them", READERS_MAX);
        return;
    }
    reading->reader = reader;
    list_push_back(&logs->readings, &reading->link);
    call_set_user(call, reading);
    if (call_method(call)->server_streaming)
        call_send_headers(call);
}

void logs_output_writable(Call *call) {
    Reading *reading = call_user(call);
    while (reading && reading->held_count)
        logs_reader_credit(reading->reader, reading->held[--reading->held_count]);
}

static void leave(Reading *reading) {
    call_set_user(reading->call, NULL);
    while (reading->held_count)
        reply_free(reading->held[--reading->held_count]);
    logs_reader_leave(reading->reader);
    list_remove(&reading->link);
    free(reading);
}

void logs_output_closed(Call *call, StatusCode code) {
    Reading *reading = call_user(call);
    if (reading)
        leave(reading);
}

/* Calls close when their callers have taken what they are sent, which may be after logs_close: none
 * of them knows us any more then. */
void logs_end_calls(Logs *logs) {
    logs->ended = true;
    LIST_EACH (&logs->readings, link) {
        Reading *reading = CONTAINER(link, Reading, link);
        Call *call = reading->call;
        leave(reading);
        call_fail(call, STATUS_UNAVAILABLE, LOGS_STOPPING);
    }
    logs_ingest_end(logs);
}

void logs_output_serve(Logs *logs, Call *call, const RtAttachOutputRequest *request, bool hides) {
    call_set_user(call, NULL);
    start(logs, call, log_follower_new(request, hides));
}

/* ---- LoggerService ---- */

static void refuse(Call *call, const FilterError *error) {
    if (error->column)
        call_fail(call, STATUS_INVALID_ARGUMENT, "filter: column %zu: %s", error->column,
                  error->reason);
    else
        call_fail(call, STATUS_INVALID_ARGUMENT, "%s", error->reason);
}

static bool query_filter(Call *call, const RtLogQuery *query, Filter **ret) {
    static const RtLogQuery EVERYTHING = {0};
    FilterError error;
    Logs *logs = call_service(call);
    if (filter_of_query(query ? query : &EVERYTHING, world_wall(logs->world), ret, &error) == 0)
        return true;
    refuse(call, &error);
    return false;
}

static void query_logs(Call *call, const void *message) {
    const RtLogQuery *query = message;
    Filter *filter;
    if (!query_filter(call, query, &filter))
        return;
    LogSearcher *searcher = log_searcher_new(filter);
    Search *search = &searcher->search;
    search->backwards = query->order == RT_LOG_ORDER_NEWEST_FIRST;
    search->left = query->limit < 0 ? INT64_MAX : query->limit ? query->limit : LIMIT_DEFAULT;
    if (search->backwards)
        search->at = query->cursor > 0 ? query->cursor - 1 : INT64_MAX;
    else
        search->at = query->cursor > 0 ? query->cursor + 1 : 1;
    start(call_service(call), call, &searcher->reader);
}

static void subscribe_logs(Call *call, const void *message) {
    const RtLogFilter *request = message;
    Logs *logs = call_service(call);
    Filter *filter;
    FilterError error;
    if (filter_of_subscription(request, world_wall(logs->world), &filter, &error) < 0) {
        refuse(call, &error);
        return;
    }
    LogSearcher *searcher = log_searcher_new(filter);
    searcher->follows = true;
    if (request->after_sequence > 0)
        searcher->search.at = request->after_sequence + 1;
    else if (request->replay > 0)
        searcher->replay = request->replay < REPLAY_MAX ? request->replay : REPLAY_MAX;
    start(logs, call, &searcher->reader);
}

static void get_histogram(Call *call, const void *message) {
    const RtGetLogHistogramRequest *request = message;
    Filter *filter;
    if (request->buckets < 0 || request->buckets > BUCKETS_MAX) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "buckets: %d: at most %d", request->buckets,
                  BUCKETS_MAX);
        return;
    }
    if (!query_filter(call, request->query, &filter))
        return;
    Logs *logs = call_service(call);
    start(logs, call, &log_histogram_new(filter, request, world_wall(logs->world))->reader);
}

static void list_fields(Call *call, const void *message) {
    const RtListLogFieldsRequest *request = message;
    Filter *filter;
    if (request->value_limit < 0 || request->value_limit > VALUES_MAX) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "value_limit: %d: at most %d",
                  request->value_limit, VALUES_MAX);
        return;
    }
    RtLogQuery query = {0};
    memcpy(&query.service_names, &request->service_names, sizeof query.service_names);
    if (query_filter(call, &query, &filter))
        start(call_service(call), call, &log_fields_new(filter, request)->reader);
}

const MethodHandler LOGS_METHODS[] = {
    {.opened = logs_ingest_opened,
     .message = logs_ingest_message,
     .half_closed = logs_ingest_half_closed,
     .closed = logs_ingest_closed},
    {.message = query_logs, .writable = logs_output_writable, .closed = logs_output_closed},
    {.message = subscribe_logs, .writable = logs_output_writable, .closed = logs_output_closed},
    {.message = get_histogram, .closed = logs_output_closed},
    {.message = list_fields, .closed = logs_output_closed},
};
