#include "services/logs/line.h"

#include "schema/json.h"
#include "services/logs/clean.h"

static bool same_word(Span word, const char *lower) {
    size_t i = 0;
    for (; i < word.len && lower[i]; i++)
        if ((word.ptr[i] | 0x20) != lower[i])
            return false;
    return i == word.len && !lower[i];
}

int line_level(Span word) {
    static const struct {
        const char *word;
        RtLogLevel level;
    } WORDS[] = {
        {"info", RT_LOG_LEVEL_INFO},          {"debug", RT_LOG_LEVEL_DEBUG},
        {"warn", RT_LOG_LEVEL_WARN},          {"error", RT_LOG_LEVEL_ERROR},
        {"warning", RT_LOG_LEVEL_WARN},       {"trace", RT_LOG_LEVEL_TRACE},
        {"fatal", RT_LOG_LEVEL_FATAL},        {"inf", RT_LOG_LEVEL_INFO},
        {"wrn", RT_LOG_LEVEL_WARN},           {"err", RT_LOG_LEVEL_ERROR},
        {"dbg", RT_LOG_LEVEL_DEBUG},          {"trc", RT_LOG_LEVEL_TRACE},
        {"ftl", RT_LOG_LEVEL_FATAL},          {"notice", RT_LOG_LEVEL_INFO},
        {"critical", RT_LOG_LEVEL_FATAL},     {"crit", RT_LOG_LEVEL_FATAL},
        {"severe", RT_LOG_LEVEL_ERROR},       {"fail", RT_LOG_LEVEL_ERROR},
        {"panic", RT_LOG_LEVEL_FATAL},        {"emerg", RT_LOG_LEVEL_FATAL},
        {"emergency", RT_LOG_LEVEL_FATAL},    {"alert", RT_LOG_LEVEL_FATAL},
        {"dpanic", RT_LOG_LEVEL_FATAL},       {"information", RT_LOG_LEVEL_INFO},
        {"informational", RT_LOG_LEVEL_INFO}, {"verbose", RT_LOG_LEVEL_TRACE},
        {"vrb", RT_LOG_LEVEL_TRACE},          {"silly", RT_LOG_LEVEL_TRACE},
        {"finest", RT_LOG_LEVEL_TRACE},       {"fine", RT_LOG_LEVEL_DEBUG},
        {"dbug", RT_LOG_LEVEL_DEBUG},         {"debu", RT_LOG_LEVEL_DEBUG},
        {"erro", RT_LOG_LEVEL_ERROR},         {"eror", RT_LOG_LEVEL_ERROR},
        {"fata", RT_LOG_LEVEL_FATAL},
    };
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (same_word(word, WORDS[i].word))
            return (int)WORDS[i].level;
    return -1;
}

bool line_is_correlation(Span key) {
    static const char *const KEYS[] = {
        "correlationid", "requestid", "traceid",        "reqid",      "xrequestid",
        "corr",          "corrid",    "xcorrelationid", "dd.traceid", "trace.id",
    };
    char plain[24];
    size_t len = 0;
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] == '_' || key.ptr[i] == '-')
            continue;
        if (len == sizeof plain)
            return false;
        plain[len++] = key.ptr[i];
    }
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        if (same_word(span(plain, len), KEYS[i]))
            return true;
    return false;
}

/* An object of JSON, with its values. Line feeds may stand inside it, nothing behind it. */
static bool parse_json(Span text, Arena *arena, PbStruct **ret) {
    if (text.len < 2 || text.ptr[0] != '{')
        return false;
    size_t len = text.len;
    while (len && strchr(" \n\r\t", text.ptr[len - 1]))
        len--;
    if (text.ptr[len - 1] != '}')
        return false;
    SchemaJson options = {.depth = 32};
    void *object;
    if (schema_json_decode(&PbStruct_type, span(text.ptr, len), &options, arena, &object, NULL) < 0)
        return false;
    *ret = object;
    return true;
}

void line_parse(Span raw, Nanos arrival, const Mask *mask, Arena *arena, RtLogEntry *entry) {
    Span text = mask_text(mask, clean_text(raw, arena), arena);
    PbStruct *object, pairs = {0};
    entry->level = RT_LOG_LEVEL_INFO;
    entry->message = (Span){NULL, 0};
    entry->correlation_id = (Span){NULL, 0};
    entry->attributes = NULL;
    line_set_time(entry, arrival);
    if (parse_json(text, arena, &object)) {
        line_object(object, arena, entry);
        if (!entry->message.ptr)
            entry->message = text;
    } else if (line_logfmt(text, arena, &pairs)) {
        line_object(&pairs, arena, entry);
        if (!entry->message.ptr)
            entry->message = text;
    } else {
        line_plain(&text, entry);
        entry->message = text;
    }
    entry->message = clean_cut(entry->message, LINE_MESSAGE_MAX, arena);
    if (entry->correlation_id.len > LINE_ID_MAX)
        entry->correlation_id = clean_cut(entry->correlation_id, LINE_ID_MAX, arena);
}
