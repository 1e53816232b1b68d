/* YAML by libfyaml's events; tags and plain scalars as the core schema of YAML 1.2 has them
 * (https://yaml.org/spec/1.2.2/#103-core-schema). Merge keys ("<<") are YAML 1.1's, kept because
 * files in the field use them. */
#include <errno.h>
#include <libfyaml.h>
#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "doc/doc_build.h"

typedef struct Anchor {
    Span name;
    const DocNode *node;
} Anchor;

typedef struct YamlDoc {
    DocBuilder *builder;
    struct fy_parser *parser;
    ARRAY(Anchor) anchors;
    Span pending[DOC_DEPTH_MAX + 1]; /* anchors of the levels that are open */
    bool ended;                      /* the one document is over */
} YamlDoc;

static Span token_text(struct fy_token *token) {
    size_t len = 0;
    const char *text = token ? fy_token_get_text(token, &len) : NULL;
    return span(text, text ? len : 0);
}

/* Of a text in quotes libfyaml marks what stands behind the quote. */
static bool marks_behind_quote(Span text, size_t at) {
    return at > 0 && at <= text.len && (text.ptr[at - 1] == '"' || text.ptr[at - 1] == '\'');
}

static DocPlace token_place(YamlDoc *doc, struct fy_token *token) {
    const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
    if (!mark)
        return doc_place(doc->builder, 0, 0);
    bool scalar = fy_token_get_type(token) == FYTT_SCALAR;
    bool quoted = scalar && fy_token_scalar_style(token) != FYSS_PLAIN &&
                  marks_behind_quote(doc->builder->text, mark->input_pos);
    return doc_place(doc->builder, (uint32_t)mark->line + 1, (uint32_t)mark->column + !quoted);
}

/* ---- scalars ---- */

/* A line break within a text in quotes, with the blanks around it: one is a blank, each further one
 * a line. Returns what follows. */
static const char *fold(const char *at, const char *end, Buf *out) {
    size_t breaks = 0;
    while (out->len && (out->ptr[out->len - 1] == ' ' || out->ptr[out->len - 1] == '\t'))
        out->len--;
    for (; at < end && strchr(" \t\r\n", *at); at++)
        breaks += *at == '\n' || (*at == '\r' && (at + 1 == end || at[1] != '\n'));
    if (breaks == 1)
        buf_add_char(out, ' ');
    for (size_t i = 1; i < breaks; i++)
        buf_add_char(out, '\n');
    return at;
}

/* libfyaml 0.7 confuses the quotes in a text such as 'it''s' once there are several, so these are
 * read here: from the first character behind the opening quote up to the closing one. */
static Span single_quoted(YamlDoc *doc, struct fy_token *token) {
    Span text = doc->builder->text;
    const struct fy_mark *mark = fy_token_start_mark(token);
    const char *at = text.ptr + mark->input_pos + !marks_behind_quote(text, mark->input_pos);
    const char *end = span_end(text);
    Buf out = {.arena = doc->builder->arena};
    while (at < end) {
        if (*at == '\'' && (at + 1 == end || at[1] != '\''))
            break;
        if (*at == '\n' || *at == '\r') {
            at = fold(at, end, &out);
            continue;
        }
        buf_add_char(&out, *at);
        at += *at == '\'' ? 2 : 1;
    }
    return buf_span(&out);
}

static Span scalar_text(YamlDoc *doc, struct fy_token *token) {
    bool single = token && fy_token_scalar_style(token) == FYSS_SINGLE_QUOTED;
    return single ? single_quoted(doc, token) : token_text(token);
}

static bool is_any(Span text, const char *const *words) {
    for (; *words; words++)
        if (span_equal(text, span_of(*words)))
            return true;
    return false;
}

static bool parse_radix(Span text, int64_t *ret) {
    bool octal = span_starts(text, SPAN("0o"));
    if (text.len < 3 || text.len > 24 || (!octal && !span_starts(text, SPAN("0x"))))
        return false;
    char digits[24], *end;
    memcpy(digits, text.ptr + 2, text.len - 2);
    digits[text.len - 2] = '\0';
    if (strspn(digits, octal ? "01234567" : "0123456789abcdefABCDEF") != text.len - 2)
        return false;
    errno = 0;
    *ret = strtoll(digits, &end, octal ? 8 : 16);
    return errno == 0;
}

/* The core schema's decimals are looser than JSON's: "+1", ".5", "1.", "007". */
static bool parse_decimal(Span text, DocNode *node) {
    Span body = text.len && text.ptr[0] == '+' ? span_skip(text, 1) : text;
    if (parse_i64(body, &node->integer) && body.ptr[0] >= (body.len < text.len ? '0' : '-')) {
        node->kind = DOC_INTEGER;
        return true;
    }
    char copy[64], *end;
    if (!text.len || text.len >= sizeof copy || !memchr("+-.0123456789", text.ptr[0], 13))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (strspn(copy, "+-.0123456789eE") != text.len || !strpbrk(copy, "0123456789"))
        return false;
    node->real = strtod(copy, &end);
    if (*end || !isfinite(node->real))
        return false;
    node->kind = DOC_DOUBLE;
    return true;
}

static void resolve_plain(DocNode *node) {
    static const char *const NOTHING[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const YES[] = {"true", "True", "TRUE", NULL};
    static const char *const NO[] = {"false", "False", "FALSE", NULL};
    static const char *const INFINITE[] = {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", NULL};
    static const char *const NEGATIVE[] = {"-.inf", "-.Inf", "-.INF", NULL};
    static const char *const NO_NUMBER[] = {".nan", ".NaN", ".NAN", NULL};
    Span text = node->text;
    if (is_any(text, NOTHING)) {
        node->kind = DOC_NULL;
    } else if (is_any(text, YES) || is_any(text, NO)) {
        node->kind = DOC_BOOL;
        node->flag = is_any(text, YES);
    } else if (is_any(text, INFINITE) || is_any(text, NEGATIVE) || is_any(text, NO_NUMBER)) {
        node->kind = DOC_DOUBLE;
        node->real = is_any(text, INFINITE) ? HUGE_VAL : is_any(text, NEGATIVE) ? -HUGE_VAL : NAN;
    } else if (parse_radix(text, &node->integer)) {
        node->kind = DOC_INTEGER;
    } else {
        parse_decimal(text, node);
    }
}

/* ---- events ---- */

/* Only the core schema's tags are known; "!" and !!str make a string of any scalar. */
static int check_tag(YamlDoc *doc, struct fy_token *token, bool *ret_string) {
    static const char *const KNOWN[] = {"null", "bool", "int", "float", "str", "map", "seq", NULL};
    *ret_string = false;
    if (!token)
        return 0;
    size_t handle_len = 0, suffix_len = 0;
    const char *handle = fy_tag_token_handle(token, &handle_len);
    const char *suffix = fy_tag_token_suffix(token, &suffix_len);
    Span tag = span(handle, handle ? handle_len : 0);
    Span name = span(suffix, suffix ? suffix_len : 0);
    *ret_string = (span_equal(tag, SPAN("!")) && !name.len) ||
                  (span_equal(tag, SPAN("!!")) && span_equal(name, SPAN("str")));
    if (*ret_string || (span_equal(tag, SPAN("!!")) && is_any(name, KNOWN)))
        return 0;
    return doc_fail(doc->builder, -EBADMSG, token_place(doc, token), "unknown tag '%.*s%.*s'",
                    SPAN_ARGS(tag), SPAN_ARGS(name));
}

static void remember(YamlDoc *doc, Span name, const DocNode *node) {
    if (name.len)
        *array_push(&doc->anchors) = (Anchor){name, node};
}

/* Whether what comes next is a key. */
static bool key_is_due(YamlDoc *doc) {
    DocLevel *level = doc_level(doc->builder);
    return level && level->node->kind == DOC_MAP && !level->has_key;
}

static int on_scalar(YamlDoc *doc, struct fy_event *event) {
    struct fy_token *value = event->scalar.value;
    DocPlace place = token_place(doc, value ? value : event->scalar.tag);
    bool string;
    int result = check_tag(doc, event->scalar.tag, &string);
    if (result < 0)
        return result;
    Span text = scalar_text(doc, value);
    if (key_is_due(doc)) {
        doc_key(doc->builder, text, place);
        return 0;
    }
    if (!place.line && doc->builder->depth)
        place = doc_level(doc->builder)->key_place;
    DocNode *node = doc_node(doc->builder, DOC_STRING, place, text);
    if (!string && (!value || fy_token_scalar_style(value) == FYSS_PLAIN))
        resolve_plain(node);
    if (event->scalar.anchor)
        remember(doc, arena_copy(doc->builder->arena, token_text(event->scalar.anchor)), node);
    return doc_put(doc->builder, node);
}

static int on_alias(YamlDoc *doc, struct fy_token *token) {
    Span name = token_text(token);
    DocPlace place = token_place(doc, token);
    if (key_is_due(doc))
        return doc_fail(doc->builder, -EBADMSG, place, "an alias cannot be a key");
    for (size_t i = doc->anchors.count; i-- > 0;)
        if (span_equal(doc->anchors.items[i].name, name))
            return doc_put(doc->builder, doc->anchors.items[i].node);
    return doc_fail(doc->builder, -EBADMSG, place, "no anchor '%.*s' stands before this alias",
                    SPAN_ARGS(name));
}

static int on_open(YamlDoc *doc, DocKind kind, struct fy_token *start, struct fy_token *anchor,
                   struct fy_token *tag) {
    DocPlace place = token_place(doc, start);
    bool string;
    if (key_is_due(doc))
        return doc_fail(doc->builder, -EBADMSG, place, "a key must be a string");
    int result = check_tag(doc, tag, &string);
    if (!result)
        result = doc_open(doc->builder, kind, place);
    if (!result)
        doc->pending[doc->builder->depth] = arena_copy(doc->builder->arena, token_text(anchor));
    return result;
}

/* Takes the entry "<<" out of the map and lays the map upon what it names. */
static int merge_key(YamlDoc *doc, const DocNode *map) {
    const DocEntry *entry = doc_find(map, SPAN("<<"));
    if (!entry)
        return 0;
    DocNode *own = (DocNode *)map;
    const DocNode *from = entry->value, *under = NULL;
    bool many = from->kind == DOC_LIST;
    for (size_t i = many ? from->list.count : 1; i-- > 0;) {
        const DocNode *item = many ? from->list.items[i] : from;
        if (item->kind != DOC_MAP)
            return doc_fail(doc->builder, -EBADMSG, entry->place,
                            "'<<' needs a map, or a list of "
                            "maps, to merge");
        under = under ? doc_lay(doc->builder->arena, under, item) : item;
    }
    DocEntry *rest = arena_alloc(doc->builder->arena, own->map.count * sizeof *rest);
    size_t count = 0;
    for (size_t i = 0; i < own->map.count; i++)
        if (&own->map.entries[i] != entry)
            rest[count++] = own->map.entries[i];
    own->map.entries = rest;
    own->map.count = count;
    if (under) {
        own->map = doc_lay(doc->builder->arena, under, own)->map;
    }
    return 0;
}

static int on_close(YamlDoc *doc) {
    Span anchor = doc->pending[doc->builder->depth];
    const DocNode *node = doc_close(doc->builder);
    if (!node)
        return doc->builder->failed;
    remember(doc, anchor, node);
    return node->kind == DOC_MAP ? merge_key(doc, node) : 0;
}

static int on_event(YamlDoc *doc, struct fy_event *event) {
    switch (event->type) {
    case FYET_DOCUMENT_START:
        return doc->ended ? doc_fail(doc->builder, -EBADMSG,
                                     token_place(doc, event->document_start.document_start),
                                     "a second document in one file")
                          : 0;
    case FYET_DOCUMENT_END:
        doc->ended = true;
        return 0;
    case FYET_SCALAR:
        return on_scalar(doc, event);
    case FYET_ALIAS:
        return on_alias(doc, event->alias.anchor);
    case FYET_SEQUENCE_START:
        return on_open(doc, DOC_LIST, event->sequence_start.sequence_start,
                       event->sequence_start.anchor, event->sequence_start.tag);
    case FYET_MAPPING_START:
        return on_open(doc, DOC_MAP, event->mapping_start.mapping_start,
                       event->mapping_start.anchor, event->mapping_start.tag);
    case FYET_SEQUENCE_END:
    case FYET_MAPPING_END:
        return on_close(doc);
    default:
        return 0;
    }
}

static int state_error(YamlDoc *doc, struct fy_diag *diag) {
    void *at = NULL;
    struct fy_diag_error *error = fy_diag_errors_iterate(diag, &at);
    if (!error)
        return doc_fail(doc->builder, -EBADMSG, doc_place(doc->builder, 0, 0), "not YAML");
    return doc_fail(doc->builder, -EBADMSG,
                    doc_place(doc->builder, (uint32_t)(error->line > 0 ? error->line : 0),
                              (uint32_t)(error->column > 0 ? error->column : 0)),
                    "%s", error->msg);
}

static int read_events(YamlDoc *doc, struct fy_diag *diag) {
    struct fy_event *event;
    int result = 0;
    while (!result && (event = fy_parser_parse(doc->parser))) {
        result = on_event(doc, event);
        fy_parser_event_free(doc->parser, event);
    }
    return !result && fy_diag_got_error(diag) ? state_error(doc, diag) : result;
}

static void print_nothing(struct fy_diag *diag, void *user, const char *text, size_t len) {
}

int doc_read_yaml(DocBuilder *builder) {
    struct fy_diag_cfg diag_options;
    fy_diag_cfg_default(&diag_options);
    diag_options.fp = NULL;
    diag_options.output_fn = print_nothing;
    struct fy_diag *diag = fy_diag_create(&diag_options);
    fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg options = {.flags = FYPCF_JSON_NONE | FYPCF_DISABLE_MMAP_OPT, .diag = diag};
    YamlDoc doc = {.builder = builder, .parser = fy_parser_create(&options)};
    int result = -ENOMEM;
    if (doc.parser && fy_parser_set_string(doc.parser, builder->text.len ? builder->text.ptr : "",
                                           builder->text.len) == 0)
        result = read_events(&doc, diag);
    if (doc.parser)
        fy_parser_destroy(doc.parser);
    fy_diag_destroy(diag);
    array_done(&doc.anchors);
    if (!result && builder->root && builder->root->kind == DOC_NULL)
        builder->root = NULL;
    return result;
}
