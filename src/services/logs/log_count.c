/* Readers that count: how entries spread over time, and what can be filtered by. */
#include <stdlib.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/text.h"
#include "schema/codec.h"
#include "services/logs/log_actor.h"

#define BUCKETS_DEFAULT 60
#define LEVELS          (RT_LOG_LEVEL_FATAL + 1)
#define FIELDS_ENTRIES  10000 /* the latest, of which the fields are told */
#define FIELDS_MAX      1000
#define VALUES_MAX      1000 /* different ones counted for a field */
#define VALUE_SIZE      256  /* longer ones are not offered */

typedef struct Spread {
    Span service;
    int64_t counts[LEVELS];
} Spread;

typedef struct Value {
    Span text;
    int64_t count;
} Value;

typedef struct Field {
    Span name;
    Map values; /* Value by text */
    int64_t count;
} Field;

struct LogCount {
    /* The histogram. */
    Nanos start, end, interval;
    uint32_t buckets;
    int64_t (*counts)[LEVELS];
    int64_t total;
    Map services; /* Spread by service */
    /* The fields. */
    bool fields;
    Span prefix;
    size_t value_limit;
    Map names; /* Field by name */
};

static Span spread_key(const void *item) {
    return ((const Spread *)item)->service;
}
static Span value_key(const void *item) {
    return ((const Value *)item)->text;
}
static Span field_key(const void *item) {
    return ((const Field *)item)->name;
}

void log_count_free(struct LogCount *count) {
    if (!count)
        return;
    Field *field;
    for (size_t at = 0; (field = map_next(&count->names, &at));)
        map_done(&field->values);
    map_done(&count->names);
    map_done(&count->services);
    free(count->counts);
    free(count);
}

static struct LogCount *count_new(void) {
    struct LogCount *count = xcalloc(1, sizeof *count);
    map_init(&count->services, spread_key, 0);
    map_init(&count->names, field_key, 0);
    return count;
}

/* ---- the histogram ---- */

static bool count_entry(void *owner, const RowSource *source, const Row *row,
                        const RtLogEntry *entry) {
    LogSearcher *searcher = owner;
    struct LogCount *count = searcher->count;
    if (row->time < count->start || row->time >= count->end)
        return true;
    int level = row->level < LEVELS ? row->level : RT_LOG_LEVEL_INFO;
    size_t bucket = (size_t)((row->time - count->start) / count->interval);
    if (bucket < count->buckets)
        count->counts[bucket][level]++;
    count->total++;
    Spread *spread = map_get(&count->services, source->service);
    if (!spread) {
        spread = arena_zalloc(&searcher->arena, sizeof *spread);
        spread->service = arena_copy(&searcher->arena, source->service);
        map_put(&count->services, spread);
    }
    spread->counts[level]++;
    return true;
}

LogSearcher *log_histogram_new(Filter *filter, const RtGetLogHistogramRequest *request, Nanos now) {
    LogSearcher *searcher = log_searcher_new(filter);
    struct LogCount *count = searcher->count = count_new();
    count->buckets = request->buckets > 0 ? (uint32_t)request->buckets : BUCKETS_DEFAULT;
    if (request->query && request->query->start_time > 0)
        count->start = nanos_of_millis(request->query->start_time);
    count->end = request->query && request->query->end_time > 0
                     ? nanos_of_millis(request->query->end_time)
                     : now + NANOS_PER_MILLI;
    count->counts = xcalloc(count->buckets, sizeof *count->counts);
    searcher->search.glance = true;
    searcher->search.found = count_entry;
    return searcher;
}

/* Stretches are whole milliseconds, and together hold all there is to count. */
static void divide(LogActor *actor, struct LogCount *count) {
    if (!count->start)
        count->start = log_store_first_time(actor->store, count->end);
    if (count->start > count->end)
        count->start = count->end;
    count->start -= count->start % NANOS_PER_MILLI;
    Nanos length = count->end - count->start;
    Nanos unit = (Nanos)count->buckets * NANOS_PER_MILLI;
    count->interval = (length / unit + (length % unit > 0)) * NANOS_PER_MILLI;
    if (!count->interval)
        count->interval = NANOS_PER_MILLI;
}

static void give_levels(const int64_t *counts, Arena *arena, RtLogHistogramBucket *ret) {
    for (int level = 0; level < LEVELS; level++)
        *schema_append(&ret->counts, arena) = counts[level];
}

static void give_histogram(LogSearcher *searcher) {
    struct LogCount *count = searcher->count;
    Arena *arena = &searcher->arena;
    RtGetLogHistogramResponse response = {
        .start_time = count->start / NANOS_PER_MILLI,
        .interval_ms = count->interval / NANOS_PER_MILLI,
        .total = count->total,
    };
    for (uint32_t i = 0; i < count->buckets; i++)
        give_levels(count->counts[i], arena, schema_append(&response.buckets, arena));
    const Spread *spread;
    for (size_t at = 0; (spread = map_next(&count->services, &at));) {
        RtGetLogHistogramResponseServicesEntry *entry = schema_append(&response.services, arena);
        entry->key = spread->service;
        entry->value = schema_new(&RtLogHistogramBucket_type, arena);
        give_levels(spread->counts, arena, entry->value);
    }
    log_reader_add(&searcher->reader, &RtGetLogHistogramResponse_type, &response);
}

/* ---- fields ---- */

static void count_value(LogSearcher *searcher, Span name, Span text) {
    struct LogCount *count = searcher->count;
    Arena *arena = &searcher->arena;
    if (!text.len || text.len > VALUE_SIZE || name.len > VALUE_SIZE ||
        !span_starts(name, count->prefix))
        return;
    Field *field = map_get(&count->names, name);
    if (!field) {
        if (count->names.count == FIELDS_MAX)
            return;
        field = arena_zalloc(arena, sizeof *field);
        field->name = arena_copy(arena, name);
        map_init(&field->values, value_key, 0);
        map_put(&count->names, field);
    }
    field->count++;
    Value *value = map_get(&field->values, text);
    if (!value) {
        if (field->values.count == VALUES_MAX)
            return;
        value = arena_zalloc(arena, sizeof *value);
        value->text = arena_copy(arena, text);
        map_put(&field->values, value);
    }
    value->count++;
}

/* `name` holds "@" and the names of what the object lies in. */
static void count_object(LogSearcher *searcher, const RtLogEntry *entry, const PbStruct *object,
                         Buf *name) {
    size_t len = name->len;
    for (uint32_t i = 0; i < object->fields.count; i++) {
        const PbStructFieldsEntry *field = &object->fields.items[i];
        char scratch[FORMAT_DOUBLE_MAX];
        Span text;
        buf_add(name, field->key);
        if (field->value && field->value->which_kind == PbValue_struct_value_number) {
            buf_add_char(name, '.');
            count_object(searcher, entry, field->value->struct_value, name);
        } else if (filter_attribute(entry, span_skip(buf_span(name), 1), scratch, &text)) {
            count_value(searcher, buf_span(name), text);
        }
        name->len = len;
    }
}

static Span lower_name(const SchemaEnum *type, int32_t number, size_t skip, char *scratch) {
    const char *name = schema_enum_name(type, number);
    size_t len = 0;
    for (name = name ? name + skip : ""; name[len] && len < 31; len++)
        scratch[len] = name[len] >= 'A' && name[len] <= 'Z' ? (char)(name[len] | 0x20) : name[len];
    return span(scratch, len);
}

static bool count_fields(void *owner, const RowSource *source, const Row *row,
                         const RtLogEntry *entry) {
    LogSearcher *searcher = owner;
    char scratch[32];
    count_value(searcher, SPAN("service"), entry->service_name);
    count_value(searcher, SPAN("instance"), entry->instance);
    count_value(searcher, SPAN("level"), lower_name(&RtLogLevel_type, entry->level, 0, scratch));
    count_value(searcher, SPAN("stream"),
                lower_name(&RtLogStream_type, entry->stream, sizeof "LOG_STREAM_" - 1, scratch));
    if (entry->run)
        count_value(searcher, SPAN("run"), span(scratch, format_i64(scratch, entry->run)));
    Buf name = {.arena = &searcher->search.arena};
    buf_add_char(&name, '@');
    if (entry->attributes)
        count_object(searcher, entry, entry->attributes, &name);
    for (uint32_t i = 0; i < entry->metadata.count; i++) {
        name.len = 1;
        buf_add(&name, entry->metadata.items[i].key);
        count_value(searcher, buf_span(&name), entry->metadata.items[i].value);
    }
    return true;
}

LogSearcher *log_fields_new(Filter *filter, const RtListLogFieldsRequest *request) {
    LogSearcher *searcher = log_searcher_new(filter);
    struct LogCount *count = searcher->count = count_new();
    count->fields = true;
    count->prefix = arena_copy(&searcher->arena, request->prefix);
    count->value_limit = request->value_limit > 0 ? (size_t)request->value_limit : 10;
    searcher->search.backwards = true;
    searcher->search.at = INT64_MAX;
    searcher->search.left = FIELDS_ENTRIES;
    searcher->search.found = count_fields;
    return searcher;
}

static int by_count(const void *a, const void *b) {
    const Value *x = *(Value *const *)a, *y = *(Value *const *)b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return span_compare(x->text, y->text);
}

static void give_field(LogSearcher *searcher, Field *field, RtLogField *ret) {
    ARRAY(Value *) values = {0};
    Value *value;
    for (size_t at = 0; (value = map_next(&field->values, &at));)
        *array_push(&values) = value;
    qsort(values.items, values.count, sizeof *values.items, by_count);
    ret->name = field->name;
    ret->count = field->count;
    for (size_t i = 0; i < values.count && i < searcher->count->value_limit; i++)
        *schema_append(&ret->values, &searcher->arena) = values.items[i]->text;
    array_done(&values);
}

/* `service`, `level`, `stream`, `run` and `instance` first, then attributes by name. */
static int by_name(const void *a, const void *b) {
    const RtLogField *x = a, *y = b;
    bool x_own = x->name.ptr[0] != '@', y_own = y->name.ptr[0] != '@';
    return x_own != y_own ? (x_own ? -1 : 1) : span_compare(x->name, y->name);
}

static void give_fields(LogSearcher *searcher) {
    RtListLogFieldsResponse response = {0};
    Field *field;
    for (size_t at = 0; (field = map_next(&searcher->count->names, &at));)
        give_field(searcher, field, schema_append(&response.fields, &searcher->arena));
    if (response.fields.count)
        qsort(response.fields.items, response.fields.count, sizeof *response.fields.items, by_name);
    log_reader_add(&searcher->reader, &RtListLogFieldsResponse_type, &response);
}

void log_count_begin(LogActor *actor, LogSearcher *searcher) {
    if (!searcher->count->fields)
        divide(actor, searcher->count);
}

void log_count_finish(LogActor *actor, LogSearcher *searcher) {
    if (searcher->count->fields)
        give_fields(searcher);
    else
        give_histogram(searcher);
}
