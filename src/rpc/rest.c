/* REST: methods under the paths that their google.api.http rules give them.
 *
 * A request's message is made of three parts, each JSON to the codec: the body (as the whole message
 * or as one field), the variables of the path, and the query. A variable or parameter "a.b=5" is read
 * as {"a":{"b":"5"}} and merged, so that every rule about field names and types is the codec's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "rpc/internal.h"
#include "rpc/query.h"
#include "rpc/rest_template.h"
#include "schema/codec.h"

typedef struct Route {
    const MethodEntry *method;
    const SchemaHttpRule *rule;
    RestTemplate template;
} Route;

struct RestRoutes {
    ARRAY(Route) list; /* in the order of trying */
};

struct RestMatch {
    const Route *route;
    Span query;
    bool events; /* answer streams as server-sent events */
    Span values[REST_VARIABLES_MAX];
};

/* ---- routes ---- */

RestRoutes *rest_routes_new(void) {
    return xcalloc(1, sizeof(RestRoutes));
}

void rest_routes_free(RestRoutes *routes) {
    array_done(&routes->list);
    free(routes);
}

/* Whether the field path leads to a field of the type. */
static bool field_path_exists(const SchemaMessage *type, Span path) {
    const SchemaField *field = NULL;
    while (path.len) {
        const char *dot = memchr(path.ptr, '.', path.len);
        Span name = dot ? span(path.ptr, (size_t)(dot - path.ptr)) : path;
        path = span_skip(path, name.len + 1);
        field = type ? schema_field_by_name(type, name) : NULL;
        if (!field)
            return false;
        type = field->type == SCHEMA_MESSAGE && field->shape == SCHEMA_SINGULAR ? field->message
                                                                                : NULL;
    }
    return field != NULL;
}

static const char *check_rule(const Route *route) {
    const SchemaMethod *method = route->method->schema;
    for (uint8_t i = 0; i < route->template.variable_count; i++)
        if (!field_path_exists(method->input, route->template.variables[i].field))
            return "a variable names no field";
    const char *body = route->rule->body, *response = route->rule->response_body;
    if (*body && strcmp(body, "*") != 0 && !schema_field_by_name(method->input, span_of(body)))
        return "body names no field";
    if (*response && !schema_field_by_name(method->output, span_of(response)))
        return "response_body names no field";
    return NULL;
}

int rest_routes_add(RestRoutes *routes, const MethodEntry *method, char *reason,
                    size_t reason_size) {
    for (uint16_t i = 0; i < method->schema->http_count; i++) {
        Route route = {.method = method, .rule = &method->schema->http[i]};
        const char *why = NULL;
        if (rest_template_parse(span_of(route.rule->pattern), &route.template, &why))
            why = check_rule(&route);
        size_t at = 0;
        for (; !why && at < routes->list.count; at++) {
            const Route *other = &routes->list.items[at];
            int order = strcmp(other->rule->verb, route.rule->verb);
            if (!order)
                order = rest_template_compare(&other->template, &route.template);
            if (!order)
                why = "another method has the same path";
            if (order > 0)
                break;
        }
        if (why) {
            snprintf(reason, reason_size, "%s: %s %s: %s", method->schema->path, route.rule->verb,
                     route.rule->pattern, why);
            return -EINVAL;
        }
        array_push(&routes->list);
        memmove(&routes->list.items[at + 1], &routes->list.items[at],
                (routes->list.count - 1 - at) * sizeof route);
        routes->list.items[at] = route;
    }
    return 0;
}

/* ---- requests ---- */

/* {"a":{"b":"text"}} for a.b; bare for what JSON wants unquoted: true, an enum's number. */
static void write_member(Buf *out, Span path, Span value, const SchemaField *leaf) {
    size_t depth = 0;
    for (Span rest = path; rest.len; depth++) {
        const char *dot = memchr(rest.ptr, '.', rest.len);
        Span name = dot ? span(rest.ptr, (size_t)(dot - rest.ptr)) : rest;
        rest = span_skip(rest, name.len + 1);
        buf_add_char(out, '{');
        json_write_text(out, name);
        buf_add_char(out, ':');
    }
    bool list = leaf && leaf->shape == SCHEMA_REPEATED_FIELD;
    bool boolean =
        leaf && (leaf->type == SCHEMA_BOOL ||
                 (leaf->type == SCHEMA_MESSAGE && leaf->message->well_known == SCHEMA_WRAPPER &&
                  leaf->message->fields[0].type == SCHEMA_BOOL));
    bool bare = boolean && (span_equal(value, SPAN("true")) || span_equal(value, SPAN("false")));
    int64_t number;
    bare |= leaf && leaf->type == SCHEMA_ENUM && parse_i64(value, &number);
    buf_add(out, list ? SPAN("[") : SPAN(""));
    if (bare)
        buf_add(out, value);
    else
        json_write_text(out, value);
    buf_add(out, list ? SPAN("]") : SPAN(""));
    for (; depth; depth--)
        buf_add_char(out, '}');
}

static const SchemaField *leaf_of(const SchemaMessage *type, Span path) {
    const SchemaField *field = NULL;
    while (path.len && type) {
        const char *dot = memchr(path.ptr, '.', path.len);
        Span name = dot ? span(path.ptr, (size_t)(dot - path.ptr)) : path;
        path = span_skip(path, name.len + 1);
        field = schema_field_by_name(type, name);
        type = field && field->type == SCHEMA_MESSAGE ? field->message : NULL;
    }
    return path.len ? NULL : field;
}

static bool merge_member(Call *call, void *message, Span path, Span value) {
    const SchemaMessage *type = call->method->schema->input;
    Arena *arena = &call->server->scratch_in;
    SchemaJson options = call_json_options(call);
    SchemaError error;
    Buf text = {.arena = arena};
    void *part;
    write_member(&text, path, value, leaf_of(type, path));
    if (schema_json_decode(type, buf_span(&text), &options, arena, &part, &error) < 0)
        return incoming_refuse(call, &error);
    schema_merge(type, message, part, arena);
    return true;
}

/* The body as the message, or as one field of it. */
static bool decode_body(Call *call, Span body, void **ret) {
    const SchemaMessage *type = call->method->schema->input;
    const char *field = call->rest->route->rule->body;
    Arena *arena = &call->server->scratch_in;
    SchemaJson options = call_json_options(call);
    SchemaError error;
    Buf wrapped = {.arena = arena};
    SchemaMessage only;
    size_t before = 0;
    if (!*field && body.len) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "%s takes no body", call->method->schema->path);
        return false;
    }
    if (!body.len) {
        *ret = schema_new(type, arena);
        return true;
    }
    if (strcmp(field, "*") != 0) {
        buf_printf(&wrapped, "{\"%s\":", field);
        before = wrapped.len;
        buf_add(&wrapped, body);
        buf_add_char(&wrapped, '}');
        body = buf_span(&wrapped);
        /* A body that breaks out of its field finds no other. */
        only = rest_only_field(type, schema_field_by_name(type, span_of(field)));
        type = &only;
    }
    if (schema_json_decode(type, body, &options, arena, ret, &error) == 0)
        return true;
    error.offset -= error.offset < before ? error.offset : before;
    return incoming_refuse(call, &error);
}

static bool decode(Call *call, Span body, void **ret) {
    const RestMatch *match = call->rest;
    const RestTemplate *template = &match->route->template;
    if (!decode_body(call, body, ret))
        return false;
    QueryReader reader = {.rest = match->query, .arena = &call->server->scratch_in};
    Span name, value;
    int result;
    while ((result = query_next(&reader, &name, &value)) == 1)
        if (!merge_member(call, *ret, name, value))
            return false;
    if (result < 0) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "a malformed escape in the query");
        return false;
    }
    for (uint8_t i = 0; i < template->variable_count; i++)
        if (!merge_member(call, *ret, template->variables[i].field, match->values[i]))
            return false;
    return true;
}

static void read_whole(Call *call, Span bytes) {
    if (call->body.len + bytes.len > call->server->options.receive_limit)
        call_fail(call, STATUS_RESOURCE_EXHAUSTED, "the body is larger than %zu bytes",
                  call->server->options.receive_limit);
    else
        buf_add(&call->body, bytes);
}

static void end_whole(Call *call) {
    bool compressed = call->request_compression != RPC_IDENTITY && call->body.len;
    call_receive(call, compressed, buf_span(&call->body), true);
    call_receive_end(call);
}

static bool is_blank(Span line) {
    for (size_t i = 0; i < line.len; i++)
        if (!strchr(" \t\r", line.ptr[i]))
            return false;
    return true;
}

/* Newline-delimited JSON: one message a line; blank lines are nothing. */
static void read_lines(Call *call, Span bytes) {
    size_t seen = call->body.len;
    read_whole(call, bytes);
    size_t begin = 0;
    while (!call->finished) {
        char *newline = memchr(call->body.ptr + seen, '\n', call->body.len - seen);
        if (!newline)
            break;
        Span line = span(call->body.ptr + begin, (size_t)(newline - call->body.ptr) - begin);
        seen = begin += line.len + 1;
        if (!is_blank(line))
            call_receive(call, false, line, false);
    }
    memmove(call->body.ptr, call->body.ptr + begin, call->body.len - begin);
    call->body.len -= begin;
}

static void end_lines(Call *call) {
    Span line = buf_span(&call->body);
    if (!is_blank(line))
        call_receive(call, false, line, false);
    call_receive_end(call);
}

static void body(Call *call, Span bytes) {
    if (call_takes_one(call))
        read_whole(call, bytes);
    else
        read_lines(call, bytes);
}

static void end(Call *call) {
    if (call_takes_one(call))
        end_whole(call);
    else
        end_lines(call);
}

/* ---- answers ---- */

const SchemaField *rest_response_field(const Call *call) {
    const char *name = call->rest ? call->rest->route->rule->response_body : "";
    return *name ? schema_field_by_name(call->method->schema->output, span_of(name)) : NULL;
}

Span rest_field_json(const SchemaField *field, Span json) {
    size_t head = strlen(field->name) + 4; /* {"": */
    return json.len > head ? span(json.ptr + head, json.len - head - 1) : SPAN("null");
}

static void add_common(Call *call, HeaderList *list) {
    headers_add_metadata(list, &call->headers, SPAN(""));
    headers_add(list, SPAN("cache-control"), SPAN("no-store"));
    cors_add_headers(list, http_request(call->exchange));
}

static void answer(Call *call, int http_status, Span body) {
    HeaderList list = {.arena = http_arena(call->exchange)};
    char length[20];
    headers_add(&list, SPAN("content-type"), SPAN("application/json"));
    headers_add(&list, SPAN("content-length"), span(length, format_u64(length, body.len)));
    if (call->response_compression != RPC_IDENTITY)
        headers_add(&list, SPAN("content-encoding"), compression_name(call->response_compression));
    add_common(call, &list);
    headers_add_metadata(&list, &call->trailers, SPAN(""));
    call->head_sent = true;
    http_respond(call->exchange, http_status, headers_of(&list), false);
    http_write(call->exchange, body);
    http_finish(call->exchange, (HttpHeaders){0});
}

static void answer_error(Call *call, const Status *status) {
    Buf text = {.arena = http_arena(call->exchange)};
    status_write_rest(&text, status, call_json_options(call).types);
    call->response_compression = RPC_IDENTITY;
    answer(call, status_to_http(status->code), buf_span(&text));
}

/* The head of a single answer is written with its end. */
static void head_unary(Call *call) {
    call->head_sent = false;
}

static void send_unary(Call *call, const Outgoing *message) {
    if (!message->compressed)
        call->response_compression = RPC_IDENTITY;
    call->reply = arena_copy(http_arena(call->exchange), message->payload);
}

static void finish_unary(Call *call, const Status *status) {
    if (status->code == STATUS_OK)
        answer(call, 200, call->reply);
    else
        answer_error(call, status);
}

static void head_stream(Call *call) {
    HeaderList list = {.arena = http_arena(call->exchange)};
    headers_add(&list, SPAN("content-type"),
                call->rest->events ? SPAN("text/event-stream") : SPAN("application/x-ndjson"));
    headers_add(&list, SPAN("x-content-type-options"), SPAN("nosniff"));
    add_common(call, &list);
    http_respond(call->exchange, 200, headers_of(&list), false);
}

static void send_stream(Call *call, const Outgoing *message) {
    call_head(call);
    if (call->rest->events)
        http_write(call->exchange, SPAN("data: "));
    http_write(call->exchange, message->payload);
    http_write(call->exchange, call->rest->events ? SPAN("\n\n") : SPAN("\n"));
}

/* A stream that has begun with 200 tells its failure as its last line. */
static void finish_stream(Call *call, const Status *status) {
    if (status->code != STATUS_OK && !call->head_sent) {
        answer_error(call, status);
        return;
    }
    call_head(call);
    if (status->code != STATUS_OK) {
        Buf text = {.arena = http_arena(call->exchange)};
        buf_add(&text, call->rest->events ? SPAN("event: error\ndata: ") : SPAN("{\"error\":"));
        status_write_rest(&text, status, call_json_options(call).types);
        buf_add(&text, call->rest->events ? SPAN("\n\n") : SPAN("}\n"));
        http_write(call->exchange, buf_span(&text));
    }
    http_finish(call->exchange, (HttpHeaders){0});
}

const CallProtocol PROTOCOL_REST_UNARY = {
    .name = "rest",
    .malformed = STATUS_INVALID_ARGUMENT,
    .body = body,
    .end = end,
    .head = head_unary,
    .send = send_unary,
    .finish = finish_unary,
    .decode = decode,
};

const CallProtocol PROTOCOL_REST_STREAM = {
    .name = "rest",
    .malformed = STATUS_INVALID_ARGUMENT,
    .body = body,
    .end = end,
    .head = head_stream,
    .send = send_stream,
    .finish = finish_stream,
    .decode = decode,
};

/* ---- serving ---- */

static bool wants_events(const HttpRequest *request) {
    Span accept = http_header(request->headers, SPAN("accept"));
    return accept.len && memmem(accept.ptr, accept.len, "text/event-stream", 17);
}

static void begin(RpcServer *server, HttpExchange *exchange, RestMatch *match) {
    const SchemaMethod *method = match->route->method->schema;
    Call *call = call_new(server, exchange,
                          method->server_streaming ? &PROTOCOL_REST_STREAM : &PROTOCOL_REST_UNARY,
                          match->route->method);
    call->codec = RPC_JSON;
    call->rest = match;
    call->is_get = span_equal(http_request(exchange)->method, SPAN("GET"));
    call_read_headers(call);
    if (method->server_streaming)
        call->response_compression = RPC_IDENTITY; /* lines are read as they come */
    if (method->client_streaming && call->request_compression != RPC_IDENTITY)
        call_fail(call, STATUS_UNIMPLEMENTED, "lines are read as they come, not compressed");
    call_begin(call);
}

static void add_verb(Buf *list, const char *verb) {
    if (list->len && memmem(list->ptr, list->len, verb, strlen(verb)))
        return;
    buf_add(list, list->len ? SPAN(", ") : SPAN(""));
    buf_add(list, span_of(verb));
}

bool rest_serve(RpcServer *server, HttpExchange *exchange, Span *ret_allow) {
    const HttpRequest *request = http_request(exchange);
    const char *mark = request->path.len ? memchr(request->path.ptr, '?', request->path.len) : NULL;
    Span path = mark ? span(request->path.ptr, (size_t)(mark - request->path.ptr)) : request->path;
    Arena *arena = http_arena(exchange);
    Buf allow = {.arena = arena};
    Span values[REST_VARIABLES_MAX];
    for (size_t i = 0; i < server->routes->list.count; i++) {
        const Route *route = &server->routes->list.items[i];
        if (!rest_template_match(&route->template, path, arena, values))
            continue;
        if (!span_equal(request->method, span_of(route->rule->verb))) {
            add_verb(&allow, route->rule->verb);
            continue;
        }
        RestMatch *match = arena_zalloc(arena, sizeof *match);
        match->route = route;
        match->query = span_skip(request->path, path.len + 1);
        match->events = wants_events(request);
        memcpy(match->values, values, sizeof values);
        begin(server, exchange, match);
        return true;
    }
    *ret_allow = buf_span(&allow);
    return false;
}
