/* Holds proto/runtime/v1 to contract/specification.txt, and to the rules that no linter knows.
 *
 *     contract_test SPECIFICATION */
#include <ctype.h>
#include <stdio.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/test.h"
#include "runtime_pool.h"
#include "schema/codec.h"
#include "schema/descriptor.h"
#include "schema/pool.h"
#include "schema/wire.h"

#define PACKAGE      "runtime.v1."
#define SCOPE_OPTION 50051 /* proto/muster/options.proto */

typedef ARRAY(Span) Lines;

typedef struct Method {
    const SchemaService *service;
    const SchemaMethod *method;
} Method;

/* What all tests look at; made once. */
typedef struct Contract {
    Arena arena;
    SchemaPool *pool;
    Lines specification; /* its lines, without comments */
    Lines said;          /* what the protos say, in the same form */
    ARRAY(Method) methods;
} Contract;

static const char *specification_path;

/* ---- what the protos say, a line each ---- */

static Span without_package(const char *name) {
    return span_skip(span_of(name),
                     strncmp(name, PACKAGE, strlen(PACKAGE)) == 0 ? strlen(PACKAGE) : 0);
}

static void say(Contract *contract, const char *format, ...) {
    Buf line = {.arena = &contract->arena};
    va_list args;
    va_start(args, format);
    buf_vprintf(&line, format, args);
    va_end(args);
    *array_push(&contract->said) = buf_span(&line);
}

static Span type_name(const SchemaField *field) {
    static const char *const scalars[] = {
        [SCHEMA_DOUBLE] = "double",     [SCHEMA_FLOAT] = "float",   [SCHEMA_INT64] = "int64",
        [SCHEMA_UINT64] = "uint64",     [SCHEMA_INT32] = "int32",   [SCHEMA_FIXED64] = "fixed64",
        [SCHEMA_FIXED32] = "fixed32",   [SCHEMA_BOOL] = "bool",     [SCHEMA_STRING] = "string",
        [SCHEMA_BYTES] = "bytes",       [SCHEMA_UINT32] = "uint32", [SCHEMA_SFIXED32] = "sfixed32",
        [SCHEMA_SFIXED64] = "sfixed64", [SCHEMA_SINT32] = "sint32", [SCHEMA_SINT64] = "sint64",
    };
    switch (field->type) {
    case SCHEMA_MESSAGE:
        return without_package(field->message->full_name);
    case SCHEMA_ENUM:
        return without_package(field->enumeration->full_name);
    default:
        return span_of(scalars[field->type]);
    }
}

static void say_field(Contract *contract, const SchemaMessage *message, const SchemaField *field) {
    Span owner = without_package(message->full_name), type = type_name(field);
    if (field->shape == SCHEMA_MAP) {
        Span key = type_name(&field->message->fields[0]),
             value = type_name(&field->message->fields[1]);
        say(contract, "%.*s.%s = %u map<%.*s,%.*s>", SPAN_ARGS(owner), field->name,
            schema_number(field), SPAN_ARGS(key), SPAN_ARGS(value));
        return;
    }
    const char *label = field->shape == SCHEMA_REPEATED_FIELD ? "repeated "
                        : field->flags & SCHEMA_HAS           ? "optional "
                                                              : "";
    say(contract, "%.*s.%s = %u %s%.*s", SPAN_ARGS(owner), field->name, schema_number(field), label,
        SPAN_ARGS(type));
}

static void say_method(Contract *contract, const SchemaService *service,
                       const SchemaMethod *method) {
    Span owner = without_package(service->full_name);
    Span input = without_package(method->input->full_name);
    Span output = without_package(method->output->full_name);
    say(contract, "%.*s.%s(%s%.*s) returns (%s%.*s)", SPAN_ARGS(owner), method->name,
        method->client_streaming ? "stream " : "", SPAN_ARGS(input),
        method->server_streaming ? "stream " : "", SPAN_ARGS(output));
    for (size_t i = 0; i < method->http_count; i++)
        say(contract, "%.*s.%s %s %s", SPAN_ARGS(owner), method->name, method->http[i].verb,
            method->http[i].pattern);
    *array_push(&contract->methods) = (Method){service, method};
}

static void say_file(Contract *contract, const SchemaFile *file) {
    for (size_t i = 0; i < file->message_count; i++) {
        const SchemaMessage *message = file->messages[i];
        for (size_t k = 0; k < message->field_count; k++)
            say_field(contract, message, &message->fields[k]);
    }
    for (size_t i = 0; i < file->enum_count; i++) {
        const SchemaEnum *type = file->enums[i];
        for (size_t k = 0; k < type->count; k++)
            say(contract, "%s.%s = %d", type->full_name + strlen(PACKAGE), type->values[k].name,
                type->values[k].number);
    }
    for (size_t i = 0; i < file->service_count; i++)
        for (size_t k = 0; k < file->services[i]->method_count; k++)
            say_method(contract, file->services[i], &file->services[i]->methods[k]);
}

static bool of_runtime(const SchemaFile *file) {
    return strcmp(file->package, "runtime.v1") == 0;
}

/* ---- what the specification says ---- */

static Span read_file(Arena *arena, const char *path) {
    Buf content = {.arena = arena};
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    size_t got;
    while ((got = fread(buf_reserve(&content, 65536), 1, 65536, file)) > 0)
        content.len += got;
    fclose(file);
    return buf_span(&content);
}

static void read_specification(Contract *contract) {
    Span rest = read_file(&contract->arena, specification_path);
    while (rest.len) {
        const char *newline = memchr(rest.ptr, '\n', rest.len);
        Span line = span(rest.ptr, newline ? (size_t)(newline - rest.ptr) : rest.len);
        rest = span_skip(rest, line.len + 1);
        if (line.len && line.ptr[0] != '#')
            *array_push(&contract->specification) = line;
    }
}

static bool in_lines(const Lines *lines, Span line) {
    for (size_t i = 0; i < lines->count; i++)
        if (span_equal(lines->items[i], line))
            return true;
    return false;
}

/* Whether a line of the specification is about `owner` (or `owner.name`). */
static bool specified(const Contract *contract, const char *owner, char end) {
    for (size_t i = 0; i < contract->specification.count; i++) {
        Span line = contract->specification.items[i];
        if (span_starts(line, span_of(owner)) && line.ptr[strlen(owner)] == end)
            return true;
    }
    return false;
}

static void the_specification_stands_as_written(void **state) {
    const Contract *contract = *state;
    size_t missing = 0;
    for (size_t i = 0; i < contract->specification.count; i++)
        if (!in_lines(&contract->said, contract->specification.items[i])) {
            print_error("not so in the protos: %.*s\n",
                        SPAN_ARGS(contract->specification.items[i]));
            missing++;
        }
    assert_int_equal(missing, 0);
    assert_true(contract->specification.count > 200);
}

/* ---- rules ---- */

/* Names of ours have the usual form; only the specification's may differ. */
static void our_methods_have_messages_of_their_own(void **state) {
    const Contract *contract = *state;
    for (size_t i = 0; i < contract->methods.count; i++) {
        const SchemaMethod *method = contract->methods.items[i].method;
        char name[128], input[128], output[128];
        snprintf(name, sizeof name, "%s.%s",
                 contract->methods.items[i].service->full_name + strlen(PACKAGE), method->name);
        if (specified(contract, name, '('))
            continue;
        snprintf(input, sizeof input, PACKAGE "%sRequest", method->name);
        snprintf(output, sizeof output, PACKAGE "%sResponse", method->name);
        assert_string_equal(method->input->full_name, input);
        assert_string_equal(method->output->full_name, output);
    }
}

/* "ServiceState" → "SERVICE_STATE_" */
static void value_prefix(const char *name, char *out) {
    for (const char *at = name; *at; at++) {
        if (isupper((unsigned char)*at) && at != name)
            *out++ = '_';
        *out++ = (char)toupper((unsigned char)*at);
    }
    memcpy(out, "_", 2);
}

static void our_enum_values_carry_the_name_of_their_enum(void **state) {
    const Contract *contract = *state;
    const SchemaFile *file;
    for (size_t at = 0; (file = schema_pool_next(contract->pool, &at));)
        for (size_t i = 0; of_runtime(file) && i < file->enum_count; i++) {
            const char *name = file->enums[i]->full_name + strlen(PACKAGE);
            char prefix[128];
            value_prefix(name, prefix);
            for (size_t k = 0; !specified(contract, name, '.') && k < file->enums[i]->count; k++)
                if (strncmp(file->enums[i]->values[k].name, prefix, strlen(prefix)) != 0)
                    fail_msg("%s.%s", name, file->enums[i]->values[k].name);
        }
}

static bool options_have(const PbMethodOptions *options, uint32_t number) {
    for (const SchemaUnknown *part = options ? options->unknown : NULL; part; part = part->next) {
        WireField field;
        for (WireReader reader = wire_reader(part->bytes); wire_next(&reader, &field);)
            if (field.number == number)
                return true;
    }
    return false;
}

/* A method without a scope needs the control scope; that is to be meant, not forgotten. */
static void every_method_says_its_scope(void **state) {
    Contract *contract = *state;
    const SchemaFile *file;
    for (size_t at = 0; (file = schema_pool_next(contract->pool, &at));) {
        void *decoded;
        assert_int_equal(schema_decode(&PbFileDescriptorProto_type, file->descriptor, NULL,
                                       &contract->arena, &decoded, NULL),
                         0);
        const PbFileDescriptorProto *descriptor = decoded;
        for (size_t i = 0; of_runtime(file) && i < descriptor->service.count; i++)
            for (size_t k = 0; k < descriptor->service.items[i].method.count; k++) {
                const PbMethodDescriptorProto *method =
                    &descriptor->service.items[i].method.items[k];
                if (!options_have(method->options, SCOPE_OPTION))
                    fail_msg("%.*s has no scope", SPAN_ARGS(method->name));
            }
    }
}

/* What only looks is marked so, and can be had by GET; what does more cannot. What needs no scope
 * may be either: who logs in has none yet. */
static void reading_has_no_side_effects(void **state) {
    const Contract *contract = *state;
    for (size_t i = 0; i < contract->methods.count; i++) {
        const SchemaMethod *method = contract->methods.items[i].method;
        bool reads = method->scope == SCHEMA_SCOPE_READ;
        bool marked = method->idempotency == SCHEMA_NO_SIDE_EFFECTS;
        bool got = method->http_count && strcmp(method->http[0].verb, "GET") == 0;
        if ((reads && !marked) || (got && !marked) || (reads && !got))
            fail_msg("%s", method->path);
    }
}

/* Each variable in the path is a field of the request with a single value, and the body is too. */
static void check_rule(const SchemaMethod *method, const SchemaHttpRule *rule) {
    if (strncmp(rule->pattern, "/v1/", 4) != 0)
        fail_msg("%s is not under /v1/", rule->pattern);
    for (const char *at = strchr(rule->pattern, '{'); at; at = strchr(at + 1, '{')) {
        const SchemaField *field =
            schema_field_by_name(method->input, span(at + 1, strcspn(at + 1, "}=")));
        if (!field || field->shape != SCHEMA_SINGULAR || field->type == SCHEMA_MESSAGE)
            fail_msg("%s: %s has no such field", rule->pattern, method->input->full_name);
    }
    bool bodiless = strcmp(rule->verb, "GET") == 0 || strcmp(rule->verb, "DELETE") == 0;
    if (bodiless != (rule->body[0] == '\0'))
        fail_msg("%s %s: body \"%s\"", rule->verb, rule->pattern, rule->body);
}

static void every_method_has_sound_http_rules(void **state) {
    const Contract *contract = *state;
    for (size_t i = 0; i < contract->methods.count; i++) {
        const SchemaMethod *method = contract->methods.items[i].method;
        if (method->http_count == 0)
            fail_msg("%s has none", method->path);
        for (size_t k = 0; k < method->http_count; k++)
            check_rule(method, &method->http[k]);
    }
}

/* Whether some path matches both patterns. Variables stand for one segment each. */
static bool patterns_overlap(const char *a, const char *b) {
    while (*a && *b) {
        size_t in_a = strcspn(a, "/{:"), in_b = strcspn(b, "/{:");
        bool variable = a[in_a] == '{' || b[in_b] == '{';
        if (variable) {
            a += a[in_a] == '{' ? in_a + strcspn(a + in_a, "}") + 1 : in_a;
            b += b[in_b] == '{' ? in_b + strcspn(b + in_b, "}") + 1 : in_b;
        } else {
            if (in_a != in_b || strncmp(a, b, in_a) != 0)
                return false;
            a += in_a;
            b += in_b;
        }
        if (*a != *b)
            return false;
        if (*a == ':') /* the verb, which nothing stands for */
            return strcmp(a, b) == 0;
        if (*a) {
            a++;
            b++;
        }
    }
    return *a == *b;
}

static void overlap_is_recognised(void **state) {
    (void)state;
    assert_true(patterns_overlap("/v1/a/{b}", "/v1/a/{c}"));
    assert_true(patterns_overlap("/v1/a/{b}", "/v1/a/c"));
    assert_true(patterns_overlap("/v1/{a}/b:x", "/v1/c/{d}:x"));
    assert_false(patterns_overlap("/v1/a/{b}", "/v1/a/{b}:x"));
    assert_false(patterns_overlap("/v1/a/{b}", "/v1/a"));
    assert_false(patterns_overlap("/v1/a", "/v1/ab"));
    assert_false(patterns_overlap("/v1/a:x", "/v1/a:y"));
}

static void no_two_http_rules_match_the_same_request(void **state) {
    const Contract *contract = *state;
    /* OTLP sends there, also to our port: https://opentelemetry.io/docs/specs/otlp/ */
    ARRAY(SchemaHttpRule) taken = {0};
    *array_push(&taken) = (SchemaHttpRule){.verb = "POST", .pattern = "/v1/logs"};
    *array_push(&taken) = (SchemaHttpRule){.verb = "POST", .pattern = "/v1/metrics"};
    *array_push(&taken) = (SchemaHttpRule){.verb = "POST", .pattern = "/v1/traces"};
    for (size_t i = 0; i < contract->methods.count; i++) {
        const SchemaMethod *method = contract->methods.items[i].method;
        for (size_t k = 0; k < method->http_count; k++) {
            SchemaHttpRule rule = method->http[k];
            for (size_t t = 0; t < taken.count; t++)
                if (strcmp(taken.items[t].verb, rule.verb) == 0 &&
                    patterns_overlap(taken.items[t].pattern, rule.pattern))
                    fail_msg("%s %s and %s", rule.verb, rule.pattern, taken.items[t].pattern);
            *array_push(&taken) = rule;
        }
    }
    array_done(&taken);
}

/* ---- */

static int set_up(void **state) {
    static Contract contract;
    contract.pool = runtime_pool_new();
    const SchemaFile *file;
    for (size_t at = 0; (file = schema_pool_next(contract.pool, &at));)
        if (of_runtime(file))
            say_file(&contract, file);
    read_specification(&contract);
    *state = &contract;
    return 0;
}

static int tear_down(void **state) {
    Contract *contract = *state;
    array_done(&contract->specification);
    array_done(&contract->said);
    array_done(&contract->methods);
    schema_pool_free(contract->pool);
    arena_done(&contract->arena);
    return 0;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_specification_stands_as_written),
        cmocka_unit_test(our_methods_have_messages_of_their_own),
        cmocka_unit_test(our_enum_values_carry_the_name_of_their_enum),
        cmocka_unit_test(every_method_says_its_scope),
        cmocka_unit_test(reading_has_no_side_effects),
        cmocka_unit_test(every_method_has_sound_http_rules),
        cmocka_unit_test(overlap_is_recognised),
        cmocka_unit_test(no_two_http_rules_match_the_same_request),
    };
    if (argc != 2) {
        fputs("usage: contract_test SPECIFICATION\n", stderr);
        return 2;
    }
    specification_path = argv[1];
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
