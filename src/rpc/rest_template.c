#include "rpc/rest_template.h"

#include "rpc/query.h"

static Span until_any(Span text, const char *stops) {
    for (size_t i = 0; i < text.len; i++)
        if (strchr(stops, text.ptr[i]))
            return span(text.ptr, i);
    return text;
}

/* ---- parsing ---- */

typedef struct Parser {
    Span rest;
    RestTemplate *template;
    const char *reason;
} Parser;

static bool fail(Parser *parser, const char *reason) {
    parser->reason = reason;
    return false;
}

static bool take(Parser *parser, char c) {
    if (!parser->rest.len || parser->rest.ptr[0] != c)
        return false;
    parser->rest = span_skip(parser->rest, 1);
    return true;
}

/* "*", "**" or a literal, up to one of the characters that end it. */
static bool parse_plain_segment(Parser *parser, const char *stops) {
    RestTemplate *template = parser->template;
    Span text = until_any(parser->rest, stops);
    parser->rest = span_skip(parser->rest, text.len);
    if (!text.len)
        return fail(parser, "an empty segment");
    if (template->segment_count == REST_SEGMENTS_MAX)
        return fail(parser, "too many segments");
    if (template->segment_count &&
        template->segments[template->segment_count - 1].kind == REST_REST)
        return fail(parser, "'**' is not the last segment");
    RestSegment *segment = &template->segments[template->segment_count++];
    if (span_equal(text, SPAN("*")))
        *segment = (RestSegment){.kind = REST_ONE};
    else if (span_equal(text, SPAN("**")))
        *segment = (RestSegment){.kind = REST_REST};
    else if (memchr(text.ptr, '*', text.len))
        return fail(parser, "'*' beside other characters");
    else
        *segment = (RestSegment){REST_LITERAL, text};
    return true;
}

/* After '{'. */
static bool parse_variable(Parser *parser) {
    RestTemplate *template = parser->template;
    if (template->variable_count == REST_VARIABLES_MAX)
        return fail(parser, "too many variables");
    RestVariable *variable = &template->variables[template->variable_count++];
    variable->field = until_any(parser->rest, "=}/");
    parser->rest = span_skip(parser->rest, variable->field.len);
    if (!variable->field.len)
        return fail(parser, "a variable without a name");
    variable->first = template->segment_count;
    if (take(parser, '=')) {
        do {
            if (!parse_plain_segment(parser, "/}"))
                return false;
        } while (take(parser, '/'));
    } else {
        Span star = SPAN("*");
        Parser one = {.rest = star, .template = template};
        if (!parse_plain_segment(&one, "/"))
            return fail(parser, one.reason);
    }
    variable->last = template->segment_count;
    return take(parser, '}') || fail(parser, "a variable without '}'");
}

bool rest_template_parse(Span text, RestTemplate *ret, const char **ret_reason) {
    *ret = (RestTemplate){0};
    Parser parser = {.rest = text, .template = ret, .reason = "it does not begin with '/'"};
    bool ok = take(&parser, '/');
    while (ok) {
        ok = take(&parser, '{') ? parse_variable(&parser) : parse_plain_segment(&parser, "/:");
        if (!ok || !take(&parser, '/'))
            break;
    }
    if (ok && take(&parser, ':')) {
        ret->verb = parser.rest;
        ok = ret->verb.len || fail(&parser, "an empty verb");
    } else if (ok && parser.rest.len) {
        ok = fail(&parser, "characters after a segment");
    }
    *ret_reason = parser.reason;
    return ok;
}

/* ---- matching ---- */

static bool segment_fits(const RestSegment *segment, Span text, Arena *arena) {
    Span decoded;
    if (segment->kind != REST_LITERAL)
        return text.len > 0;
    return span_equal(segment->literal, text) ||
           (url_decode(arena, text, false, &decoded) == 0 && span_equal(segment->literal, decoded));
}

/* Splits into segments; "**" takes what is left. False: the path does not fit. */
static bool split(const RestTemplate *template, Span path, Arena *arena, Span *segments) {
    if (!path.len || path.ptr[0] != '/')
        return false;
    Span rest = span(path.ptr + 1, path.len - 1);
    for (uint8_t i = 0; i < template->segment_count; i++) {
        const RestSegment *segment = &template->segments[i];
        if (segment->kind == REST_REST) {
            segments[i] = rest;
            return true;
        }
        Span text = until_any(rest, "/");
        if (!segment_fits(segment, text, arena))
            return false;
        segments[i] = text;
        bool more = text.len < rest.len;
        /* Where it ends is where an empty "**" lies. */
        rest = span(text.ptr + text.len + more, rest.len - text.len - more);
        bool last = i + 1 == template->segment_count;
        bool only_rest_follows = !last && template->segments[i + 1].kind == REST_REST;
        if (last ? more : !more && !only_rest_follows)
            return false;
    }
    return true;
}

/* Decodes all escapes but that of '/'. */
static int decode_several(Arena *arena, Span text, Span *ret) {
    Span kept = text;
    char *out = arena_alloc(arena, text.len), *at = out;
    while (kept.len) {
        size_t run = 0;
        while (run < kept.len && !(kept.ptr[run] == '%' && kept.len - run >= 3 &&
                                   kept.ptr[run + 1] == '2' && (kept.ptr[run + 2] | 0x20) == 'f'))
            run++;
        Span decoded;
        if (url_decode(arena, span(kept.ptr, run), false, &decoded) < 0)
            return -1;
        if (decoded.len)
            memcpy(at, decoded.ptr, decoded.len);
        at += decoded.len;
        kept = span_skip(kept, run);
        if (kept.len) {
            memcpy(at, kept.ptr, 3);
            at += 3;
            kept = span_skip(kept, 3);
        }
    }
    *ret = span(out, (size_t)(at - out));
    return 0;
}

static Span without_verb(Span path, Span verb) {
    if (!verb.len)
        return path;
    bool has = path.len > verb.len && path.ptr[path.len - verb.len - 1] == ':' &&
               memcmp(path.ptr + path.len - verb.len, verb.ptr, verb.len) == 0;
    return has ? span(path.ptr, path.len - verb.len - 1) : (Span){0};
}

bool rest_template_match(const RestTemplate *template, Span path, Arena *arena, Span *ret_values) {
    Span segments[REST_SEGMENTS_MAX];
    if (!split(template, without_verb(path, template->verb), arena, segments))
        return false;
    for (uint8_t i = 0; i < template->variable_count; i++) {
        const RestVariable *variable = &template->variables[i];
        const Span *first = &segments[variable->first], *last = &segments[variable->last - 1];
        Span text = span(first->ptr, (size_t)(last->ptr + last->len - first->ptr));
        bool one = variable->last - variable->first == 1 &&
                   template->segments[variable->first].kind != REST_REST;
        int result = one ? url_decode(arena, text, false, &ret_values[i])
                         : decode_several(arena, text, &ret_values[i]);
        if (result < 0)
            return false;
    }
    return true;
}

int rest_template_compare(const RestTemplate *a, const RestTemplate *b) {
    if (!a->verb.len != !b->verb.len)
        return a->verb.len ? -1 : 1;
    for (uint8_t i = 0; i < a->segment_count && i < b->segment_count; i++) {
        int order = (int)a->segments[i].kind - (int)b->segments[i].kind;
        if (!order)
            order = span_compare(a->segments[i].literal, b->segments[i].literal);
        if (order)
            return order;
    }
    if (a->segment_count != b->segment_count)
        return (int)b->segment_count - (int)a->segment_count;
    return span_compare(a->verb, b->verb);
}
