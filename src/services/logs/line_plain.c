/* Lines without a form: the level is looked for where people put one, never in the middle of a
 * sentence. */
#include "services/logs/line.h"

#define LOOK_BYTES 120 /* of the line's beginning */
#define LOOK_WORDS 10

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_id(char c) {
    return is_letter(c) || is_digit(c) || (c && strchr("_.:-/", c));
}

static bool starts(Span text, const char *prefix) {
    return span_starts(text, span_of(prefix));
}

/* syslog's priority at the beginning, as systemd reads it from output: <0> to <191>. */
static bool take_priority(Span *text, RtLogEntry *entry) {
    static const RtLogLevel LEVELS[] = {
        RT_LOG_LEVEL_FATAL, RT_LOG_LEVEL_FATAL, RT_LOG_LEVEL_FATAL, RT_LOG_LEVEL_ERROR,
        RT_LOG_LEVEL_WARN,  RT_LOG_LEVEL_INFO,  RT_LOG_LEVEL_INFO,  RT_LOG_LEVEL_DEBUG,
    };
    unsigned number = 0;
    size_t at = 1;
    while (at < text->len && at < 4 && is_digit(text->ptr[at]))
        number = number * 10 + (unsigned)(text->ptr[at++] - '0');
    if (text->ptr[0] != '<' || at == 1 || at >= text->len || text->ptr[at] != '>' || number > 191)
        return false;
    entry->level = LEVELS[number & 7];
    *text = span_skip(*text, at + 1);
    return true;
}

/* "E1121 12:00:00.123456 …": glog and klog. */
static bool is_glog(Span text, RtLogEntry *entry) {
    static const char LETTERS[] = "DIWEF";
    const char *letter = text.len > 8 && text.ptr[0] ? strchr(LETTERS, text.ptr[0]) : NULL;
    if (!letter || !is_digit(text.ptr[1]) || !is_digit(text.ptr[2]) || !is_digit(text.ptr[3]) ||
        !is_digit(text.ptr[4]) || text.ptr[5] != ' ' || !is_digit(text.ptr[6]))
        return false;
    entry->level = RT_LOG_LEVEL_DEBUG + (int)(letter - LETTERS);
    return true;
}

/* The first lines of what programs print when they fail. */
static bool is_failure(Span text, RtLogEntry *entry) {
    static const struct {
        const char *text;
        RtLogLevel level;
    } BEGINNINGS[] = {
        {"Traceback (most recent call last)", RT_LOG_LEVEL_ERROR},
        {"Exception in thread ", RT_LOG_LEVEL_ERROR},
        {"Unhandled exception", RT_LOG_LEVEL_FATAL},
        {"Uncaught ", RT_LOG_LEVEL_ERROR},
        {"panic: ", RT_LOG_LEVEL_FATAL},
        {"fatal error: ", RT_LOG_LEVEL_FATAL},
        {"Segmentation fault", RT_LOG_LEVEL_FATAL},
        {"terminate called after throwing", RT_LOG_LEVEL_FATAL},
        {"PHP Fatal error", RT_LOG_LEVEL_FATAL},
    };
    for (size_t i = 0; i < sizeof BEGINNINGS / sizeof *BEGINNINGS; i++)
        if (starts(text, BEGINNINGS[i].text)) {
            entry->level = BEGINNINGS[i].level;
            return true;
        }
    if (starts(text, "thread '") && text.len > 20) {
        size_t look = text.len < LOOK_BYTES ? text.len : LOOK_BYTES;
        if (memmem(text.ptr, look, "panicked at", 11)) {
            entry->level = RT_LOG_LEVEL_FATAL;
            return true;
        }
    }
    /* "TypeError: …", "java.lang.IllegalStateException: …" */
    size_t name = 0;
    while (name < text.len && (is_letter(text.ptr[name]) || text.ptr[name] == '.' ||
                               text.ptr[name] == '_' || is_digit(text.ptr[name])))
        name++;
    if (name > 5 && name < text.len && text.ptr[name] == ':' &&
        (span_equal(span(text.ptr + name - 5, 5), SPAN("Error")) ||
         (name > 9 && span_equal(span(text.ptr + name - 9, 9), SPAN("Exception"))))) {
        entry->level = RT_LOG_LEVEL_ERROR;
        return true;
    }
    return false;
}

static bool all_upper(Span word) {
    for (size_t i = 0; i < word.len; i++)
        if (word.ptr[i] < 'A' || word.ptr[i] > 'Z')
            return false;
    return true;
}

/* Whether a word at [begin, end) is set apart as a level is: "[info]", "(warn)", "| info |",
 * "level=info", "error:" or "warning[" at the beginning. */
static bool is_set_apart(Span text, size_t begin, size_t end, bool first) {
    char before = begin ? text.ptr[begin - 1] : '\n', after = end < text.len ? text.ptr[end] : '\n';
    if ((before == '[' && after == ']') || (before == '(' && after == ')') ||
        (before == '<' && after == '>'))
        return true;
    if (before == ' ' && begin > 1 && text.ptr[begin - 2] == '|' && (after == ' ' || after == '|'))
        return true;
    if (before == '=' && begin >= 6 &&
        (span_equal(span(text.ptr + begin - 6, 6), SPAN("level=")) ||
         span_equal(span(text.ptr + begin - 4, 4), SPAN("lvl="))))
        return true;
    return (first || before == ' ') && (after == ':' || (first && after == '['));
}

/* One letter that stands for a level: "[I 2026-11-21", "[E]", "W/Tag" at the beginning. */
static int letter_level(Span text, size_t begin) {
    char before = begin ? text.ptr[begin - 1] : '\n';
    char after = begin + 1 < text.len ? text.ptr[begin + 1] : '\n';
    if (!((before == '[' && (after == ']' || after == ' ')) || (begin == 0 && after == '/')))
        return -1;
    switch (text.ptr[begin]) {
    case 'T':
    case 'V':
        return RT_LOG_LEVEL_TRACE;
    case 'D':
        return RT_LOG_LEVEL_DEBUG;
    case 'I':
        return RT_LOG_LEVEL_INFO;
    case 'W':
        return RT_LOG_LEVEL_WARN;
    case 'E':
        return RT_LOG_LEVEL_ERROR;
    case 'F':
        return RT_LOG_LEVEL_FATAL;
    default:
        return -1;
    }
}

static void find_level(Span text, RtLogEntry *entry) {
    size_t look = text.len < LOOK_BYTES ? text.len : LOOK_BYTES, at = 0;
    for (unsigned words = 0; words < LOOK_WORDS;) {
        while (at < look && !is_letter(text.ptr[at]))
            at++;
        size_t begin = at;
        while (at < text.len && is_letter(text.ptr[at]))
            at++;
        Span word = span(text.ptr + begin, at - begin);
        if (!word.len)
            return;
        bool first = words == 0;
        char before = begin ? text.ptr[begin - 1] : ' ', after = at < text.len ? text.ptr[at] : ' ';
        int level = word.len == 1 ? letter_level(text, begin) : -1;
        if (word.len > 2 && word.len < 14 && !is_digit(before) && before != '_' && before != '-' &&
            !is_digit(after) && after != '_' && after != '-' &&
            (all_upper(word) || is_set_apart(text, begin, at, first)))
            level = line_level(word);
        if (level >= 0) {
            entry->level = level;
            return;
        }
        /* 'T' and 'Z' of a time are no words. */
        if (word.len > 1 || !is_digit(before))
            words++;
    }
}

static Span id_at(Span text, size_t at) {
    size_t end = at;
    while (end < text.len && end - at < LINE_ID_MAX && is_id(text.ptr[end]))
        end++;
    while (end > at && strchr(".:/", text.ptr[end - 1]))
        end--;
    return span(text.ptr + at, end - at);
}

/* "request_id=…", "correlationId: …", or a word "req-…". */
static void find_id(Span text, RtLogEntry *entry) {
    size_t look = text.len < 4096 ? text.len : 4096;
    for (size_t at = 0; at + 4 < look; at++) {
        char c = text.ptr[at];
        if (c == 'r' && starts(span_skip(text, at), "req-") &&
            (at == 0 || !is_id(text.ptr[at - 1]))) {
            Span id = id_at(text, at);
            if (id.len > 4) {
                entry->correlation_id = id;
                return;
            }
        }
        if ((c != '=' && c != ':') || at < 4)
            continue;
        size_t key = at;
        while (key && (is_letter(text.ptr[key - 1]) || strchr("_-.", text.ptr[key - 1])))
            key--;
        if (!line_is_correlation(span(text.ptr + key, at - key)))
            continue;
        size_t value = at + 1;
        while (value < look && strchr(" \"'", text.ptr[value]))
            value++;
        Span id = id_at(text, value);
        if (id.len) {
            entry->correlation_id = id;
            return;
        }
    }
}

/* A time with its zone at the beginning; one without says too little. */
static void find_time(Span text, RtLogEntry *entry) {
    size_t begin = text.len && text.ptr[0] == '[', end = begin;
    while (end < text.len && end - begin < RFC3339_MAX && text.ptr[end] != ' ' &&
           text.ptr[end] != ']')
        end++;
    int64_t seconds;
    int32_t nanos;
    if (end - begin >= 20 && is_digit(text.ptr[begin]) &&
        parse_rfc3339(span(text.ptr + begin, end - begin), &seconds, &nanos) && seconds >= 0 &&
        seconds < INT64_MAX / NANOS_PER_SECOND)
        line_set_time(entry, seconds * NANOS_PER_SECOND + nanos);
}

void line_plain(Span *text, RtLogEntry *entry) {
    if (!text->len)
        return;
    bool told = take_priority(text, entry);
    find_time(*text, entry);
    if (!told && !is_glog(*text, entry) && !is_failure(*text, entry))
        find_level(*text, entry);
    find_id(*text, entry);
}
