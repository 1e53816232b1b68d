/* Named values, of JSON or logfmt: which of them are the level, the text, the time, the id. */
#include "base/text.h"
#include "schema/codec.h"
#include "services/logs/clean.h"
#include "services/logs/line.h"

typedef enum Role { ROLE_NONE, ROLE_LEVEL, ROLE_MESSAGE, ROLE_TIME, ROLE_ID } Role;

static Role role_of(Span key) {
    static const struct {
        const char *key;
        Role role;
    } KEYS[] = {
        {"level", ROLE_LEVEL},     {"lvl", ROLE_LEVEL},
        {"severity", ROLE_LEVEL},  {"@l", ROLE_LEVEL},
        {"log.level", ROLE_LEVEL}, {"levelname", ROLE_LEVEL},
        {"loglevel", ROLE_LEVEL},  {"Level", ROLE_LEVEL},
        {"LogLevel", ROLE_LEVEL},  {"msg", ROLE_MESSAGE},
        {"message", ROLE_MESSAGE}, {"@m", ROLE_MESSAGE},
        {"Message", ROLE_MESSAGE}, {"short_message", ROLE_MESSAGE},
        {"event", ROLE_MESSAGE},   {"@mt", ROLE_MESSAGE},
        {"text", ROLE_MESSAGE},    {"time", ROLE_TIME},
        {"ts", ROLE_TIME},         {"timestamp", ROLE_TIME},
        {"@timestamp", ROLE_TIME}, {"@t", ROLE_TIME},
        {"Timestamp", ROLE_TIME},  {"t", ROLE_TIME},
        {"datetime", ROLE_TIME},
    };
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        if (span_equal(key, span_of(KEYS[i].key)))
            return KEYS[i].role;
    return line_is_correlation(key) ? ROLE_ID : ROLE_NONE;
}

/* pino and bunyan count 10, 20 … 60; Python 10 … 50; GELF and syslog 0 (worst) to 7. */
static bool number_level(double number, int32_t *ret) {
    if (number >= 10 && number <= 60) {
        *ret = (int32_t)(number / 10) - 1;
        return true;
    }
    static const int32_t SYSLOG[] = {
        RT_LOG_LEVEL_FATAL, RT_LOG_LEVEL_FATAL, RT_LOG_LEVEL_FATAL, RT_LOG_LEVEL_ERROR,
        RT_LOG_LEVEL_WARN,  RT_LOG_LEVEL_INFO,  RT_LOG_LEVEL_INFO,  RT_LOG_LEVEL_DEBUG,
    };
    if (number < 0 || number >= 8)
        return false;
    *ret = SYSLOG[(int)number];
    return true;
}

static bool take_level(const PbValue *value, RtLogEntry *entry) {
    if (value->which_kind == PbValue_number_value_number)
        return number_level(value->number_value, &entry->level);
    double number;
    if (value->which_kind != PbValue_string_value_number)
        return false;
    if (parse_double(value->string_value, &number))
        return number_level(number, &entry->level);
    int level = line_level(value->string_value);
    if (level < 0)
        return false;
    entry->level = level;
    return true;
}

/* Seconds, milli-, micro- or nanoseconds since 1970, told apart by their size: what lies between
 * 1973 and 5138 in one unit lies outside in the others. */
static bool number_time(double number, Nanos *ret) {
    double scale = number < 1e8    ? 0
                   : number < 1e11 ? 1e9
                   : number < 1e14 ? 1e6
                   : number < 1e17 ? 1e3
                   : number < 9e18 ? 1
                                   : 0;
    if (scale == 0 || number * scale >= 9.2e18)
        return false;
    *ret = (Nanos)(number * scale);
    return true;
}

static bool take_time(const PbValue *value, RtLogEntry *entry) {
    Nanos time;
    int64_t seconds;
    int32_t nanos;
    double number;
    if (value->which_kind == PbValue_number_value_number) {
        if (!number_time(value->number_value, &time))
            return false;
    } else if (value->which_kind != PbValue_string_value_number) {
        return false;
    } else if (parse_rfc3339(value->string_value, &seconds, &nanos)) {
        if (seconds < 0 || seconds > INT64_MAX / NANOS_PER_SECOND - 1)
            return false;
        time = seconds * NANOS_PER_SECOND + nanos;
    } else if (!parse_double(value->string_value, &number) || !number_time(number, &time)) {
        return false;
    }
    line_set_time(entry, time);
    return true;
}

static bool take_text(const PbValue *value, Span *into) {
    if (value->which_kind != PbValue_string_value_number || into->ptr)
        return false;
    *into = value->string_value.ptr ? value->string_value : SPAN("");
    return true;
}

static bool take(Span key, const PbValue *value, Arena *arena, RtLogEntry *entry) {
    switch (role_of(key)) {
    case ROLE_LEVEL:
        return take_level(value, entry);
    case ROLE_MESSAGE:
        if (!take_text(value, &entry->message))
            return false;
        entry->message = clean_text(entry->message, arena);
        return true;
    case ROLE_TIME:
        return take_time(value, entry);
    case ROLE_ID:
        return value->string_value.len && take_text(value, &entry->correlation_id);
    case ROLE_NONE:
        break;
    }
    return false;
}

/* Cuts off what is nested deeper than `depth` more levels: it becomes null. */
static bool prune(PbValue *value, int depth) {
    bool is_object = value->which_kind == PbValue_struct_value_number;
    if (!is_object && value->which_kind != PbValue_list_value_number)
        return false;
    if (depth == 0) {
        *value = (PbValue){.which_kind = PbValue_null_value_number};
        return true;
    }
    bool pruned = false;
    if (is_object) {
        for (uint32_t i = 0; i < value->struct_value->fields.count; i++)
            if (value->struct_value->fields.items[i].value)
                pruned |= prune(value->struct_value->fields.items[i].value, depth - 1);
    } else {
        for (uint32_t i = 0; i < value->list_value->values.count; i++)
            pruned |= prune(&value->list_value->values.items[i], depth - 1);
    }
    return pruned;
}

bool line_prune(PbStruct *object) {
    bool pruned = object->fields.count > LINE_ATTRIBUTES_MAX;
    if (pruned)
        object->fields.count = LINE_ATTRIBUTES_MAX;
    for (uint32_t i = 0; i < object->fields.count; i++)
        if (object->fields.items[i].value)
            pruned |= prune(object->fields.items[i].value, LINE_DEPTH_MAX - 1);
    return pruned;
}

void line_object(PbStruct *object, Arena *arena, RtLogEntry *entry) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < object->fields.count; i++) {
        PbStructFieldsEntry *field = &object->fields.items[i];
        if (!field->value || take(field->key, field->value, arena, entry))
            continue;
        object->fields.items[kept++] = *field;
    }
    object->fields.count = kept;
    if (!kept)
        return;
    line_prune(object);
    entry->attributes = schema_new(&PbStruct_type, arena);
    *entry->attributes = *object;
}
