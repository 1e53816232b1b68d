#include <errno.h>

#include "schema/build.h"
#include "schema/codec.h"

#define HTTP_RULE    72295728 /* (google.api.http) */
#define MUSTER_SCOPE 50051    /* (muster.scope), proto/muster/options.proto */
#define MUSTER_RAW   50052    /* (muster.raw) */

enum { PATTERN_GET = 2, PATTERN_PUT, PATTERN_POST, PATTERN_DELETE, PATTERN_PATCH };

/* Adds one rule to the list; a rule without a pattern says nothing and is passed over. */
static void add_rule(Build *build, const PbHttpRule *rule, SchemaHttpRule *list, uint16_t *count) {
    static const char *const verbs[] = {
        [PATTERN_GET] = "GET",       [PATTERN_PUT] = "PUT",     [PATTERN_POST] = "POST",
        [PATTERN_DELETE] = "DELETE", [PATTERN_PATCH] = "PATCH",
    };
    Arena *tables = &build->tables;
    SchemaHttpRule *out = &list[*count];
    if (rule->which_pattern == 0)
        return;
    if (rule->which_pattern <= PATTERN_PATCH) {
        out->verb = verbs[rule->which_pattern];
        out->pattern = arena_text(tables, rule->get);
    } else {
        out->verb = arena_text(tables, rule->custom->kind);
        out->pattern = arena_text(tables, rule->custom->path);
    }
    out->body = arena_text(tables, rule->body);
    out->response_body = arena_text(tables, rule->response_body);
    (*count)++;
}

static int read_http(Build *build, Span options, SchemaMethod *method, Span name) {
    Span bytes = options_message(options, HTTP_RULE, &build->scratch);
    if (bytes.len == 0)
        return 0;
    SchemaError error;
    void *decoded;
    if (schema_decode(&PbHttpRule_type, bytes, NULL, &build->scratch, &decoded, &error) < 0)
        return build_refuse(build, name, "its google.api.http: %s", error.reason);
    const PbHttpRule *rule = decoded;
    size_t most = 1 + (size_t)rule->additional_bindings.count;
    if (most > UINT16_MAX)
        return build_refuse(build, name, "has more http rules than 65535");
    SchemaHttpRule *list = arena_alloc(&build->tables, most * sizeof *list);
    add_rule(build, rule, list, &method->http_count);
    for (size_t i = 0; i + 1 < most; i++)
        add_rule(build, &rule->additional_bindings.items[i], list, &method->http_count);
    method->http = list;
    return 0;
}

/* Numbers like ours are anyone's to use in files that are not ours, so values that we do not
 * know mean nothing. */
static void read_muster(Span options, SchemaMethod *method) {
    uint64_t value;
    if (options_varint(options, MUSTER_SCOPE, &value) && value <= SCHEMA_SCOPE_PUBLIC)
        method->scope = (uint8_t)value;
    if (options_varint(options, MUSTER_RAW, &value))
        method->raw = value == 1;
}

static const SchemaMessage *find_message(Build *build, const SchemaService *service, Span name) {
    const Symbol *symbol = build_resolve(build, span_of(service->full_name), name);
    return symbol && symbol->kind == SYMBOL_MESSAGE ? symbol->table : NULL;
}

static int build_method(Build *build, const SchemaService *service, SchemaMethod *method,
                        const PbMethodDescriptorProto *proto) {
    const char *full_name = build_full_name(build, span_of(service->full_name), proto->name);
    if (!full_name)
        return -EINVAL;
    Span name = span_of(full_name);
    size_t scope = strlen(service->full_name);
    char *path = arena_alloc(&build->tables, name.len + 2);
    path[0] = '/';
    memcpy(path + 1, full_name, name.len + 1);
    path[1 + scope] = '/';
    *method = (SchemaMethod){
        .name = full_name + scope + 1,
        .path = path,
        .input = find_message(build, service, proto->input_type),
        .output = find_message(build, service, proto->output_type),
        .client_streaming = proto->client_streaming,
        .server_streaming = proto->server_streaming,
    };
    if (!method->input || !method->output)
        return build_refuse(build, name, "'%.*s' is no message that is known",
                            SPAN_ARGS(method->input ? proto->output_type : proto->input_type));
    int r = build_declare(build, full_name, SYMBOL_METHOD, service, service->file);
    if (r < 0 || !proto->options)
        return r;
    method->deprecated = proto->options->deprecated;
    method->idempotency = (uint8_t)proto->options->idempotency_level;
    Span options = options_unknown(proto->options->unknown, &build->scratch);
    read_muster(options, method);
    return read_http(build, options, method, name);
}

int build_service(Build *build, SchemaService *service, const PbServiceDescriptorProto *proto) {
    size_t count = proto->method.count;
    if (count > UINT16_MAX)
        return build_refuse(build, span_of(service->full_name), "has more methods than 65535");
    SchemaMethod *methods = arena_alloc(&build->tables, count * sizeof *methods);
    service->methods = methods;
    for (size_t i = 0; i < count; i++) {
        int r = build_method(build, service, &methods[i], &proto->method.items[i]);
        if (r < 0)
            return r;
        service->method_count = (uint16_t)(i + 1);
    }
    return 0;
}
