#include <inttypes.h>
#include <math.h>

#include "generate.h"
#include "schema/types.h"

typedef struct Source {
    const SchemaFile *file;
    const Names *names;
    Buf *out;
} Source;

static const char *message_name(const Source *s, const SchemaMessage *message) {
    return name_of_type(s->names, message->file, message->full_name);
}

static const char *enum_name(const Source *s, const SchemaEnum *table) {
    return name_of_type(s->names, table->file, table->full_name);
}

/* A C string literal of any bytes, broken into lines. */
static void print_literal(Buf *out, Span bytes) {
    enum { LINE = 96 };
    buf_add_char(out, '"');
    size_t column = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = (uint8_t)bytes.ptr[i];
        size_t before = out->len;
        if (column > LINE) {
            buf_add_literal(out, "\"\n    \"");
            column = 0;
            before = out->len;
        }
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f || c == '?') /* "??" could begin a trigraph */
            buf_printf(out, "\\%03o", c);
        else
            buf_add_char(out, (char)c);
        column += out->len - before;
    }
    buf_add_char(out, '"');
}

static void print_text(Buf *out, const char *text) {
    print_literal(out, span_of(text));
}

static const char *type_constant(uint8_t type) {
    static const char *const names[] = {
        [SCHEMA_DOUBLE] = "DOUBLE",     [SCHEMA_FLOAT] = "FLOAT",
        [SCHEMA_INT64] = "INT64",       [SCHEMA_UINT64] = "UINT64",
        [SCHEMA_INT32] = "INT32",       [SCHEMA_FIXED64] = "FIXED64",
        [SCHEMA_FIXED32] = "FIXED32",   [SCHEMA_BOOL] = "BOOL",
        [SCHEMA_STRING] = "STRING",     [SCHEMA_GROUP] = "GROUP",
        [SCHEMA_MESSAGE] = "MESSAGE",   [SCHEMA_BYTES] = "BYTES",
        [SCHEMA_UINT32] = "UINT32",     [SCHEMA_ENUM] = "ENUM",
        [SCHEMA_SFIXED32] = "SFIXED32", [SCHEMA_SFIXED64] = "SFIXED64",
        [SCHEMA_SINT32] = "SINT32",     [SCHEMA_SINT64] = "SINT64",
    };
    return names[type];
}

static void print_flags(Buf *out, uint8_t flags) {
    static const char *const names[] = {"HAS",  "ONEOF_MEMBER", "PACKED",    "REQUIRED",
                                        "UTF8", "CLOSED",       "DEPRECATED"};
    const char *before = "     .flags = ";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!(flags & 1u << i))
            continue;
        buf_printf(out, "%sSCHEMA_%s", before, names[i]);
        before = " | ";
    }
    if (flags)
        buf_add_literal(out, ",\n");
}

static void print_field(const Source *s, const SchemaMessage *message, const SchemaField *field) {
    static const char *const shapes[] = {"SINGULAR", "REPEATED_FIELD", "MAP"};
    Buf *out = s->out;
    const char *owner = message_name(s, message);
    buf_printf(out, "    {.tag = %u << 3 | %u,\n     .offset = offsetof(%s, %s),\n",
               schema_number(field), field->tag & 7, owner,
               name_of_member(s->names, message, field));
    if (field->flags & SCHEMA_ONEOF_MEMBER)
        buf_printf(out, "     .presence = offsetof(%s, which_%s),\n     .oneof = %u,\n", owner,
                   message->oneofs[field->oneof].name, field->oneof);
    else if (field->flags & SCHEMA_HAS)
        buf_printf(out, "     .presence = offsetof(%s, has_%s),\n", owner, field->name);
    buf_printf(out, "     .type = SCHEMA_%s,\n     .shape = SCHEMA_%s,\n",
               type_constant(field->type), shapes[field->shape]);
    print_flags(out, field->flags);
    if (type_is_message(field->type))
        buf_printf(out, "     .message = &%s_type,\n", message_name(s, field->message));
    else if (field->type == SCHEMA_ENUM)
        buf_printf(out, "     .enumeration = &%s_type,\n", enum_name(s, field->enumeration));
    buf_printf(out, "     .name = \"%s\",\n     .json_name = ", field->name);
    print_text(out, field->json_name);
    buf_printf(out, ",\n     .name_len = %u,\n     .json_name_len = %u},\n", field->name_len,
               field->json_name_len);
}

static void print_indices(Buf *out, const uint16_t *items, size_t count) {
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%u,", i % 16 ? " " : "\n    ", items[i]);
}

static void print_real(Buf *out, double value, int digits, const char *suffix) {
    if (isnan(value))
        buf_add_literal(out, "NAN");
    else if (isinf(value))
        buf_add(out, value > 0 ? SPAN("INFINITY") : SPAN("-INFINITY"));
    else /* the exponent makes it a real number also where there is no fraction */
        buf_printf(out, "%.*e%s", digits - 1, value, suffix);
}

/* A default value of proto2, as an initialiser. */
static void print_default(Buf *out, const SchemaField *field, const void *value) {
    switch ((SchemaType)field->type) {
    case SCHEMA_DOUBLE:
        print_real(out, *(const double *)value, 17, "");
        break;
    case SCHEMA_FLOAT:
        print_real(out, *(const float *)value, 9, "f");
        break;
    case SCHEMA_INT64:
    case SCHEMA_SINT64:
    case SCHEMA_SFIXED64: /* C has no literal for the least one */
        buf_printf(out, "(int64_t)UINT64_C(%" PRIu64 ")", *(const uint64_t *)value);
        break;
    case SCHEMA_UINT64:
    case SCHEMA_FIXED64:
        buf_printf(out, "UINT64_C(%" PRIu64 ")", *(const uint64_t *)value);
        break;
    case SCHEMA_INT32:
    case SCHEMA_SINT32:
    case SCHEMA_SFIXED32:
    case SCHEMA_ENUM:
        buf_printf(out, "(int32_t)UINT32_C(%" PRIu32 ")", *(const uint32_t *)value);
        break;
    case SCHEMA_UINT32:
    case SCHEMA_FIXED32:
        buf_printf(out, "UINT32_C(%" PRIu32 ")", *(const uint32_t *)value);
        break;
    case SCHEMA_BOOL:
        buf_add(out, *(const bool *)value ? SPAN("true") : SPAN("false"));
        break;
    case SCHEMA_STRING:
    case SCHEMA_BYTES:
        buf_add_char(out, '{');
        print_literal(out, *(const Span *)value);
        buf_printf(out, ", %zu}", ((const Span *)value)->len);
        break;
    case SCHEMA_MESSAGE:
    case SCHEMA_GROUP:
        break;
    }
}

static void print_initial(const Source *s, const SchemaMessage *message, const char *name) {
    static const char zeroes[sizeof(Span)];
    buf_printf(s->out, "static const %s %s_initial = {\n", name, name);
    for (size_t i = 0; i < message->field_count; i++) {
        const SchemaField *field = &message->fields[i];
        const char *value = (const char *)message->initial + field->offset;
        if (field->shape != SCHEMA_SINGULAR || (field->flags & SCHEMA_ONEOF_MEMBER) ||
            memcmp(value, zeroes, schema_element_size(field)) == 0)
            continue;
        buf_printf(s->out, "    .%s = ", name_of_member(s->names, message, field));
        print_default(s->out, field, value);
        buf_add_literal(s->out, ",\n");
    }
    buf_add_literal(s->out, "};\n");
}

static void print_message(const Source *s, const SchemaMessage *message) {
    static const char *const well_known[] = {"ORDINARY", "ANY",        "TIMESTAMP",
                                             "DURATION", "FIELD_MASK", "STRUCT",
                                             "VALUE",    "LIST_VALUE", "WRAPPER"};
    Buf *out = s->out;
    const char *name = message_name(s, message);
    if (message->field_count) {
        buf_printf(out, "static const SchemaField %s_fields[] = {\n", name);
        for (size_t i = 0; i < message->field_count; i++)
            print_field(s, message, &message->fields[i]);
        buf_printf(out, "};\nstatic const uint16_t %s_name_slots[] = {", name);
        print_indices(out, message->name_slots, (size_t)1 << message->name_bits);
        buf_add_literal(out, "\n};\n");
    }
    if (message->oneof_count) {
        buf_printf(out, "static const SchemaOneof %s_oneofs[] = {\n", name);
        for (size_t i = 0; i < message->oneof_count; i++)
            buf_printf(out, "    {\"%s\", offsetof(%s, which_%s)},\n", message->oneofs[i].name,
                       name, message->oneofs[i].name);
        buf_add_literal(out, "};\n");
    }
    if (message->initial)
        print_initial(s, message, name);
    buf_printf(out, "const SchemaMessage %s_type = {\n", name);
    if (message->field_count)
        buf_printf(out,
                   "    .fields = %s_fields,\n    .field_count = %u,\n    .dense = %u,\n"
                   "    .name_slots = %s_name_slots,\n    .name_bits = %u,\n",
                   name, message->field_count, message->dense, name, message->name_bits);
    buf_printf(out, "    .size = sizeof(%s),\n    .well_known = SCHEMA_%s,\n", name,
               well_known[message->well_known]);
    if (message->map_entry)
        buf_add_literal(out, "    .map_entry = true,\n");
    if (message->has_required)
        buf_add_literal(out, "    .has_required = true,\n");
    if (message->oneof_count)
        buf_printf(out, "    .oneofs = %s_oneofs,\n    .oneof_count = %u,\n", name,
                   message->oneof_count);
    if (message->initial)
        buf_printf(out, "    .initial = &%s_initial,\n", name);
    buf_printf(out, "    .full_name = \"%s\",\n    .file = &%s,\n};\n\n", message->full_name,
               name_of_file(s->names, s->file->name));
}

static void print_enum(const Source *s, const SchemaEnum *table) {
    Buf *out = s->out;
    const char *name = enum_name(s, table);
    buf_printf(out, "static const SchemaEnumValue %s_values[] = {\n", name);
    for (size_t i = 0; i < table->count; i++)
        buf_printf(out, "    {%s, %u, \"%s\"},\n", name_of_value(s->names, table, i),
                   table->values[i].name_len, table->values[i].name);
    buf_printf(out, "};\nstatic const uint16_t %s_by_name[] = {", name);
    print_indices(out, table->by_name, table->count);
    buf_printf(out,
               "\n};\nconst SchemaEnum %s_type = {\n    .values = %s_values,\n"
               "    .by_name = %s_by_name,\n    .count = %u,\n    .closed = %s,\n",
               name, name, name, table->count, table->closed ? "true" : "false");
    buf_printf(out, "    .first = %d,\n    .full_name = \"%s\",\n    .file = &%s,\n};\n\n",
               (int)table->first, table->full_name, name_of_file(s->names, s->file->name));
}

static void print_http(const Source *s, const char *service, const SchemaMethod *method) {
    Buf *out = s->out;
    buf_printf(out, "static const SchemaHttpRule %s_%s_http[] = {\n", service, method->name);
    for (size_t i = 0; i < method->http_count; i++) {
        const SchemaHttpRule *rule = &method->http[i];
        const char *const texts[] = {rule->verb, rule->pattern, rule->body, rule->response_body};
        for (size_t k = 0; k < 4; k++) {
            buf_add(out, k ? SPAN(", ") : SPAN("    {"));
            print_text(out, texts[k]);
        }
        buf_add_literal(out, "},\n");
    }
    buf_add_literal(out, "};\n");
}

static void print_method(const Source *s, const char *service, const SchemaMethod *method) {
    static const char *const idempotency[] = {"IDEMPOTENCY_UNKNOWN", "NO_SIDE_EFFECTS",
                                              "IDEMPOTENT"};
    static const char *const scopes[] = {"CONTROL", "READ", "REPORT", "PUBLIC"};
    Buf *out = s->out;
    buf_printf(out, "    {.name = \"%s\",\n     .path = \"%s\",\n", method->name, method->path);
    buf_printf(out, "     .input = &%s_type,\n     .output = &%s_type,\n",
               message_name(s, method->input), message_name(s, method->output));
    if (method->http_count)
        buf_printf(out, "     .http = %s_%s_http,\n     .http_count = %u,\n", service, method->name,
                   method->http_count);
    if (method->client_streaming)
        buf_add_literal(out, "     .client_streaming = true,\n");
    if (method->server_streaming)
        buf_add_literal(out, "     .server_streaming = true,\n");
    if (method->deprecated)
        buf_add_literal(out, "     .deprecated = true,\n");
    if (method->raw)
        buf_add_literal(out, "     .raw = true,\n");
    buf_printf(out, "     .idempotency = SCHEMA_%s,\n     .scope = SCHEMA_SCOPE_%s},\n",
               idempotency[method->idempotency], scopes[method->scope]);
}

static void print_service(const Source *s, const SchemaService *service) {
    Buf *out = s->out;
    const char *name = name_of_type(s->names, service->file, service->full_name);
    for (size_t i = 0; i < service->method_count; i++)
        if (service->methods[i].http_count)
            print_http(s, name, &service->methods[i]);
    if (service->method_count) {
        buf_printf(out, "static const SchemaMethod %s_methods[] = {\n", name);
        for (size_t i = 0; i < service->method_count; i++)
            print_method(s, name, &service->methods[i]);
        buf_add_literal(out, "};\n");
    }
    buf_printf(out, "const SchemaService %s_service = {\n", name);
    if (service->method_count)
        buf_printf(out, "    .methods = %s_methods,\n    .method_count = %u,\n", name,
                   service->method_count);
    buf_printf(out, "    .full_name = \"%s\",\n    .file = &%s,\n};\n\n", service->full_name,
               name_of_file(s->names, s->file->name));
}

static void print_file_table(const Source *s) {
    Buf *out = s->out;
    const SchemaFile *file = s->file;
    const char *name = name_of_file(s->names, file->name);
    buf_printf(out, "static const char %s_descriptor[] =\n    ", name);
    print_literal(out, file->descriptor);
    buf_printf(out, ";\nconst SchemaFile %s = {\n    .name = \"%s\",\n    .package = \"%s\",\n",
               name, file->name, file->package);
    buf_printf(out, "    .descriptor = {%s_descriptor, %zu},\n", name, file->descriptor.len);
    if (file->dependency_count) {
        buf_add_literal(out, "    .dependencies = (const SchemaFile *const[]){\n");
        for (size_t i = 0; i < file->dependency_count; i++)
            buf_printf(out, "        &%s,\n", name_of_file(s->names, file->dependencies[i]->name));
        buf_printf(out, "    },\n    .dependency_count = %u,\n", file->dependency_count);
    }
    if (file->message_count) {
        buf_add_literal(out, "    .messages = (const SchemaMessage *const[]){\n");
        for (size_t i = 0; i < file->message_count; i++)
            buf_printf(out, "        &%s_type,\n", message_name(s, file->messages[i]));
        buf_printf(out, "    },\n    .message_count = %u,\n", file->message_count);
    }
    if (file->enum_count) {
        buf_add_literal(out, "    .enums = (const SchemaEnum *const[]){\n");
        for (size_t i = 0; i < file->enum_count; i++)
            buf_printf(out, "        &%s_type,\n", enum_name(s, file->enums[i]));
        buf_printf(out, "    },\n    .enum_count = %u,\n", file->enum_count);
    }
    if (file->service_count) {
        buf_add_literal(out, "    .services = (const SchemaService *const[]){\n");
        for (size_t i = 0; i < file->service_count; i++)
            buf_printf(out, "        &%s_service,\n",
                       name_of_type(s->names, file, file->services[i]->full_name));
        buf_printf(out, "    },\n    .service_count = %u,\n", file->service_count);
    }
    buf_add_literal(out, "};\n");
}

void generate_source(const SchemaFile *file, const Names *names, Buf *out) {
    Source s = {file, names, out};
    buf_printf(out, "/* Made from %s by protoc-gen-muster; not to be edited. */\n", file->name);
    buf_printf(out, "#include \"%s\"\n\n#include <math.h>\n\n",
               name_of_output(names, file->name, ".pb.h"));
    for (size_t i = 0; i < file->dependency_count; i++)
        buf_printf(out, "#include \"%s\"\n",
                   name_of_output(names, file->dependencies[i]->name, ".pb.h"));
    buf_add_char(out, '\n');
    for (size_t i = 0; i < file->enum_count; i++)
        print_enum(&s, file->enums[i]);
    for (size_t i = 0; i < file->message_count; i++)
        print_message(&s, file->messages[i]);
    for (size_t i = 0; i < file->service_count; i++)
        print_service(&s, file->services[i]);
    print_file_table(&s);
}
