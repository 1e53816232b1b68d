/* Values by their rules. */
#include <stdlib.h>

#include "base/regex.h"
#include "base/text.h"
#include "config/parse.h"
#include "config/reader.h"

#define AT(Type, base, rule) ((Type *)((char *)(base) + (rule)->offset))

/* ---- from text ---- */

static void wrong_choice(Reader *reader, const Rule *rule, Span text, DocPlace place) {
    Buf all = {.arena = reader->arena};
    Nearest nearest = nearest_to(text);
    for (const Choice *choice = rule->choices; choice->name; choice++) {
        nearest_consider(&nearest, span_of(choice->name));
        bool first_name = true;
        for (const Choice *other = rule->choices; other < choice; other++)
            first_name &= other->value != choice->value;
        if (first_name)
            buf_printf(&all, "%s%s", all.len ? ", " : "", choice->name);
    }
    reader_error(reader, place, "'%.*s' is none of %.*s", SPAN_ARGS(shown(text)), (int)all.len,
                 all.ptr);
    reader_suggest_name(reader, &nearest);
}

static void read_choice(Reader *reader, const Rule *rule, Span text, DocPlace place, void *base) {
    for (const Choice *choice = rule->choices; choice->name; choice++) {
        if (!span_equal(span_of(choice->name), text))
            continue;
        *AT(int32_t, base, rule) = choice->value;
        return;
    }
    wrong_choice(reader, rule, text, place);
}

static void read_whole(Reader *reader, const Rule *rule, Span text, DocPlace place, void *base) {
    int64_t value;
    if (!parse_i64(text, &value)) {
        reader_error(reader, place, "'%.*s' is no integer", SPAN_ARGS(shown(text)));
    } else if (value < rule->least || value > rule->most) {
        reader_error(reader, place, "must be %lld to %lld, not %lld", (long long)rule->least,
                     (long long)rule->most, (long long)value);
    } else if (rule->type == RULE_COUNT) {
        *AT(int64_t, base, rule) = value;
    } else {
        *AT(int32_t, base, rule) = (int32_t)value;
    }
}

static void read_real(Reader *reader, const Rule *rule, Span text, DocPlace place, void *base) {
    double value;
    if (!parse_double(text, &value))
        reader_error(reader, place, "'%.*s' is no number", SPAN_ARGS(shown(text)));
    else if (!(value >= (double)rule->least && value <= (double)rule->most))
        reader_error(reader, place, "must be %lld to %lld, not %.*s", (long long)rule->least,
                     (long long)rule->most, SPAN_ARGS(shown(text)));
    else
        *AT(double, base, rule) = value;
}

static void read_duration(Reader *reader, const Rule *rule, Span text, DocPlace place, void *base) {
    Nanos value;
    int64_t millis;
    bool good = parse_duration(text, &value);
    if (!good && rule->type == RULE_MILLIS && parse_i64(text, &millis) && millis >= 0 &&
        millis <= rule->most) {
        value = millis * NANOS_PER_MILLI;
        good = true;
    }
    if (!good) {
        bool number = parse_i64(text, &millis) && millis > 0;
        reader_error(reader, place, "'%.*s' is no duration", SPAN_ARGS(shown(text)));
        if (number)
            reader_suggest(reader, "write the unit too: %.*ss, or %.*sms", SPAN_ARGS(shown(text)),
                           SPAN_ARGS(shown(text)));
        else
            reader_suggest(reader, "write it as 10s, 1m30s or 500ms");
        return;
    }
    Nanos least = rule->least * NANOS_PER_MILLI;
    if (value < least || value / NANOS_PER_MILLI > rule->most) {
        char low[DURATION_MAX], high[DURATION_MAX];
        size_t low_len = format_duration(low, least);
        size_t high_len = format_duration(high, rule->most * NANOS_PER_MILLI);
        reader_error(reader, place, "must be %.*s to %.*s, not %.*s", (int)low_len, low,
                     (int)high_len, high, SPAN_ARGS(shown(text)));
        return;
    }
    *AT(Nanos, base, rule) = value;
}

static void read_size(Reader *reader, const Rule *rule, Span text, DocPlace place, void *base) {
    int64_t value;
    if (!parse_size(text, &value)) {
        reader_error(reader, place, "'%.*s' is no size", SPAN_ARGS(shown(text)));
        reader_suggest(reader, "write it as 64KiB, 512MiB or 2GiB");
    } else if (value < rule->least || value > rule->most) {
        char low[SIZE_TEXT_MAX], high[SIZE_TEXT_MAX];
        size_t low_len = format_size(low, rule->least), high_len = format_size(high, rule->most);
        reader_error(reader, place, "must be %.*s to %.*s, not %.*s", (int)low_len, low,
                     (int)high_len, high, SPAN_ARGS(shown(text)));
    } else {
        *AT(int64_t, base, rule) = value;
    }
}

static void read_signal(Reader *reader, const Rule *rule, Span text, DocPlace place, void *base) {
    if (parse_signal(text, AT(int32_t, base, rule)))
        return;
    reader_error(reader, place, "there is no signal '%.*s'", SPAN_ARGS(shown(text)));
    reader_suggest(reader, "write it as SIGTERM, INT or 15");
}

static void read_name(Reader *reader, const Rule *rule, Span text, DocPlace place, void *base) {
    if (!is_name(text)) {
        reader_error(reader, place, "'%.*s' is no name", SPAN_ARGS(shown(text)));
        reader_suggest(reader,
                       "letters, digits, '.', '_' and '-', beginning with one of the former "
                       "two, at most 64");
        return;
    }
    *AT(Span, base, rule) = text;
}

static void read_bool(Reader *reader, const Rule *rule, Span text, DocPlace place, void *base) {
    if (span_equal(text, SPAN("true")) || span_equal(text, SPAN("false")))
        *AT(bool, base, rule) = text.ptr[0] == 't';
    else
        reader_error(reader, place, "must be true or false, not '%.*s'", SPAN_ARGS(shown(text)));
}

static void read_cron(Reader *reader, const Rule *rule, Span text, DocPlace place, void *base) {
    ConfigSchedule *schedule = AT(ConfigSchedule, base, rule);
    const char *wrong = parse_cron(text, &schedule->when);
    if (wrong)
        reader_error(reader, place, "'%.*s' is no schedule: %s", SPAN_ARGS(shown(text)), wrong);
    else
        schedule->cron = text;
}

static bool is_pattern(Reader *reader, Span text, DocPlace place) {
    Buf reason = {0};
    Regex *regex;
    bool good = regex_new(text, false, false, &regex, &reason) == 0;
    if (good)
        regex_free(regex);
    else
        reader_error(reader, place, "'%.*s' is no regular expression: %.*s", SPAN_ARGS(shown(text)),
                     SPAN_ARGS(buf_span(&reason)));
    buf_done(&reason);
    return good;
}

static void read_scalar(Reader *reader, const Rule *rule, Span text, DocPlace place, void *base) {
    typedef void Read(Reader *, const Rule *, Span, DocPlace, void *);
    static Read *const READERS[] = {
        [RULE_NAME] = read_name,       [RULE_BOOL] = read_bool, [RULE_INTEGER] = read_whole,
        [RULE_COUNT] = read_whole,     [RULE_REAL] = read_real, [RULE_DURATION] = read_duration,
        [RULE_MILLIS] = read_duration, [RULE_SIZE] = read_size, [RULE_CHOICE] = read_choice,
        [RULE_SIGNAL] = read_signal,   [RULE_CRON] = read_cron,
    };
    if (rule->type == RULE_STRING ||
        (rule->type == RULE_PATTERN && is_pattern(reader, text, place)))
        *AT(Span, base, rule) = text;
    else if (rule->type == RULE_PATH)
        *AT(Span, base, rule) = reader_absolute(reader, reader->config->folder, text);
    else if (rule->type != RULE_PATTERN)
        READERS[rule->type](reader, rule, text, place, base);
}

/* ---- from the document ---- */

static const char *wanted(RuleType type) {
    switch (type) {
    case RULE_BOOL:
        return "true or false";
    case RULE_INTEGER:
    case RULE_COUNT:
        return "an integer";
    case RULE_REAL:
        return "a number";
    case RULE_DURATION:
    case RULE_MILLIS:
        return "a duration such as 10s";
    case RULE_SIZE:
        return "a size such as 64MiB";
    case RULE_SECTION:
    case RULE_LABELS:
        return "a map";
    default:
        return "a string";
    }
}

/* Whether a scalar is of the right kind as it stands, or a text whose variables may make it so. */
static bool kind_fits(RuleType type, const DocNode *node) {
    bool variable = node->kind == DOC_STRING && node->text.len &&
                    memchr(node->text.ptr, '$', node->text.len) != NULL;
    switch (type) {
    case RULE_BOOL:
        return node->kind == DOC_BOOL || variable;
    case RULE_INTEGER:
    case RULE_COUNT:
        return node->kind == DOC_INTEGER || variable;
    case RULE_REAL:
        return node->kind == DOC_INTEGER || node->kind == DOC_DOUBLE || variable;
    default:
        return node->kind != DOC_LIST && node->kind != DOC_MAP && node->kind != DOC_NULL;
    }
}

static void read_scalar_node(Reader *reader, const Rule *rule, const DocNode *node, void *base) {
    char number[24];
    Span text;
    if (!kind_fits(rule->type, node)) {
        reader_wrong_kind(reader, node, wanted(rule->type));
        return;
    }
    if (node->kind == DOC_BOOL)
        text = node->flag ? SPAN("true") : SPAN("false");
    else if (node->kind == DOC_INTEGER &&
             (rule->type == RULE_INTEGER || rule->type == RULE_COUNT || rule->type == RULE_REAL))
        text = span(number, format_i64(number, node->integer));
    else if (!reader_string(reader, node, &text))
        return;
    read_scalar(reader, rule, text, node->place, base);
}

static void read_strings(Reader *reader, const Rule *rule, const DocNode *node, void *base) {
    bool many = node->kind == DOC_LIST;
    size_t count = many ? node->list.count : 1;
    ARRAY(Span) list = {0};
    for (size_t i = 0; i < count; i++) {
        const DocNode *item = many ? node->list.items[i] : node;
        Span text;
        if (!reader_string(reader, item, &text) ||
            (rule->type == RULE_PATTERNS && !is_pattern(reader, text, item->place)))
            continue;
        *array_push(&list) =
            rule->type == RULE_PATHS ? reader_absolute(reader, reader->config->folder, text) : text;
    }
    FREEZE(reader, &list, AT(ConfigSpans, base, rule));
    array_done(&list);
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void read_codes(Reader *reader, const Rule *rule, const DocNode *node, void *base) {
    bool many = node->kind == DOC_LIST;
    size_t count = many ? node->list.count : 1;
    ARRAY(int64_t) list = {0};
    for (size_t i = 0; i < count; i++) {
        const DocNode *item = many ? node->list.items[i] : node;
        if (item->kind != DOC_INTEGER)
            reader_wrong_kind(reader, item, many ? "an integer" : "an integer or a list of them");
        else if (item->integer < 0 || item->integer > rule->most)
            reader_error(reader, item->place, "must be 0 to %lld, not %lld", (long long)rule->most,
                         (long long)item->integer);
        else
            *array_push(&list) = item->integer;
    }
    if (!list.count)
        *array_push(&list) = 0;
    qsort(list.items, list.count, sizeof *list.items, by_value);
    FREEZE(reader, &list, AT(ConfigNumbers, base, rule));
    array_done(&list);
}

static void read_labels(Reader *reader, const Rule *rule, const DocNode *node, void *base) {
    if (node->kind != DOC_MAP) {
        reader_wrong_kind(reader, node, "a map");
        return;
    }
    ARRAY(ConfigLabel) list = {0};
    for (size_t i = 0; i < node->map.count; i++) {
        const DocEntry *entry = &node->map.entries[i];
        size_t mark = reader_enter(reader, entry->key);
        Span value;
        if (reader_string(reader, entry->value, &value))
            *array_push(&list) = (ConfigLabel){entry->key, value};
        reader_leave(reader, mark);
    }
    FREEZE(reader, &list, AT(ConfigLabels, base, rule));
    array_done(&list);
}

/* ---- commands ---- */

static bool is_plain(const ConfigText *text) {
    for (size_t i = 0; i < text->text.len; i++) {
        char c = text->text.ptr[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    (c && strchr(" _./:,@%+-=", c)) || (unsigned char)c >= 0x80;
        if (text->open && c == '$' && i + 1 < text->text.len && text->text.ptr[i + 1] == '{')
            continue;
        if (!word && !(text->open && (c == '{' || c == '}')))
            return false;
    }
    /* NAME=value before a command is the shell's, and so are commands that no file is named like. */
    static const char *const BUILTINS[] = {".", ":", "cd", "eval", "exec", "exit", "ulimit"};
    const char *equals = memchr(text->text.ptr, '=', text->text.len);
    const char *blank = memchr(text->text.ptr, ' ', text->text.len);
    Span first = span(text->text.ptr, blank ? (size_t)(blank - text->text.ptr) : text->text.len);
    for (size_t i = 0; i < sizeof BUILTINS / sizeof *BUILTINS; i++)
        if (span_equal(first, span_of(BUILTINS[i])))
            return false;
    return !equals || (blank && blank < equals);
}

typedef ARRAY(ConfigText) Texts;

static void split_words(const ConfigText *text, Texts *out) {
    Span rest = text->text;
    while (rest.len) {
        const char *blank = memchr(rest.ptr, ' ', rest.len);
        Span word = span(rest.ptr, blank ? (size_t)(blank - rest.ptr) : rest.len);
        rest = span_skip(rest, word.len + 1);
        if (word.len)
            *array_push(out) =
                (ConfigText){word, text->open && memchr(word.ptr, '$', word.len) != NULL};
    }
}

static bool read_words(Reader *reader, const DocNode *node, Texts *out) {
    bool many = node->kind == DOC_LIST, good = true;
    for (size_t i = 0; i < (many ? node->list.count : 1); i++) {
        ConfigText text;
        bool read = reader_text(reader, many ? node->list.items[i] : node, &text);
        if (read)
            *array_push(out) = text;
        good &= read;
    }
    return good;
}

/* A string: words where that is all it is, else for the shell. */
static bool read_line(Reader *reader, const DocNode *node, bool with_args, Texts *argv,
                      bool *ret_shell) {
    ConfigText line;
    if (!reader_text(reader, node, &line))
        return false;
    *ret_shell = false;
    if (is_plain(&line)) {
        split_words(&line, argv);
    } else if (with_args) {
        *array_push(argv) = line;
    } else {
        *array_push(argv) = (ConfigText){.text = SPAN("/bin/sh")};
        *array_push(argv) = (ConfigText){.text = SPAN("-c")};
        *array_push(argv) = line;
        *ret_shell = true;
    }
    return true;
}

bool reader_command(Reader *reader, const DocNode *node, const DocNode *args, ConfigCommand *ret) {
    Texts argv = {0};
    bool good, shell = false;
    if (node->kind == DOC_MAP || node->kind == DOC_NULL) {
        reader_wrong_kind(reader, node, "a string or a list");
        return false;
    }
    if (node->kind == DOC_LIST)
        good = read_words(reader, node, &argv);
    else
        good = read_line(reader, node, args != NULL, &argv, &shell);
    if (good && args)
        good = read_words(reader, args, &argv);
    if (good && (!argv.count || !argv.items[0].text.len)) {
        reader_error(reader, node->place, "the command is empty");
        good = false;
    }
    if (good) {
        FREEZE(reader, &argv, &ret->argv);
        ret->shell = shell;
    }
    array_done(&argv);
    return good;
}

/* ---- all ---- */

void reader_value(Reader *reader, const Rule *rule, const DocEntry *entry, void *base) {
    const DocNode *node = entry->value;
    if (node->kind == DOC_NULL)
        return; /* "key:" with nothing behind it says nothing */
    switch (rule->type) {
    case RULE_OWN:
        rule->read(reader, rule, entry, base);
        break;
    case RULE_SECTION:
        reader_fields(reader, rule->section, node, entry->place, base);
        break;
    case RULE_STRINGS:
    case RULE_PATTERNS:
    case RULE_PATHS:
        read_strings(reader, rule, node, base);
        break;
    case RULE_CODES:
        read_codes(reader, rule, node, base);
        break;
    case RULE_LABELS:
        read_labels(reader, rule, node, base);
        break;
    case RULE_COMMAND:
        reader_command(reader, node, NULL, AT(ConfigCommand, base, rule));
        break;
    case RULE_TEXT:
        reader_text(reader, node, AT(ConfigText, base, rule));
        break;
    default:
        read_scalar_node(reader, rule, node, base);
    }
}

static void unknown_field(Reader *reader, const RuleSet *set, const DocEntry *entry) {
    reader_error(reader, entry->place, "unknown field '%.*s'", SPAN_ARGS(shown(entry->key)));
    const char *nearest = rule_nearest(set, entry->key);
    if (nearest)
        reader_suggest(reader, "did you mean `%s`?", nearest);
}

void reader_fields(Reader *reader, const RuleSet *set, const DocNode *node, DocPlace place,
                   void *base) {
    if (node->kind != DOC_MAP) {
        const Rule *brief = set->brief ? rule_find(set, span_of(set->brief)) : NULL;
        if (!brief) {
            reader_wrong_kind(reader, node, "a map");
            return;
        }
        size_t mark = reader_enter(reader, span_of(set->brief));
        reader_value(reader, brief, &(DocEntry){span_of(set->brief), place, node}, base);
        reader_leave(reader, mark);
        return;
    }
    for (size_t i = 0; i < node->map.count; i++) {
        const DocEntry *entry = &node->map.entries[i];
        const Rule *rule = rule_find(set, entry->key);
        size_t mark = reader_enter(reader, rule ? span_of(rule->name) : entry->key);
        if (rule)
            reader_value(reader, rule, entry, base);
        else if (!span_starts(entry->key, SPAN("x-")))
            unknown_field(reader, set, entry);
        reader_leave(reader, mark);
    }
}

void reader_defaults(Reader *reader, const RuleSet *set, void *base) {
    for (const Rule *rule = set->rules; rule->name; rule++) {
        if (rule->type == RULE_SECTION) {
            reader_defaults(reader, rule->section, base);
        } else if (rule->type == RULE_CODES) {
            static const int64_t ZERO[] = {0};
            *AT(ConfigNumbers, base, rule) = (ConfigNumbers){ZERO, 1};
        } else if (rule->fallback && rule->type != RULE_OWN) {
            read_scalar(reader, rule, span_of(rule->fallback), (DocPlace){0}, base);
        }
    }
}

const DocEntry *reader_field(const RuleSet *set, const DocNode *map, const char *name) {
    if (map->kind != DOC_MAP)
        return NULL;
    for (size_t i = map->map.count; i-- > 0;) {
        const DocEntry *entry = &map->map.entries[i];
        const Rule *rule = rule_find(set, entry->key);
        if (rule && strcmp(rule->name, name) == 0)
            return entry->value->kind == DOC_NULL ? NULL : entry;
    }
    return NULL;
}
