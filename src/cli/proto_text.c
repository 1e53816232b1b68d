#include "cli/proto_text.h"

#include "schema/codec.h"
#include "schema/descriptor.h"
#include "schema/wire.h"

typedef GoogleProtobufFileDescriptorProto File;
typedef GoogleProtobufDescriptorProto Message;
typedef GoogleProtobufFieldDescriptorProto Field;
typedef GoogleProtobufEnumDescriptorProto Enum;
typedef GoogleProtobufServiceDescriptorProto Service;
typedef GoogleProtobufMethodDescriptorProto Method;

#define HTTP_RULE_NUMBER 72295728 /* of google.api.http in MethodOptions */
#define FIELD_NUMBER_MAX ((1 << 29) - 1)

/* Where the printer is: the path grows and shrinks with the nesting. */
typedef struct Printer {
    const File *file;
    Buf *out;
    int32_t path[PROTO_DEPTH_MAX];
    uint32_t depth;
    uint32_t indent;
} Printer;

static bool enter(Printer *printer, int32_t number, uint32_t index) {
    if (printer->depth + 2 > PROTO_DEPTH_MAX)
        return false;
    printer->path[printer->depth++] = number;
    printer->path[printer->depth++] = (int32_t)index;
    return true;
}

static void leave(Printer *printer) {
    printer->depth -= 2;
}

/* ---- lines ---- */

static void begin_line(Printer *printer) {
    for (uint32_t i = 0; i < printer->indent; i++)
        buf_add_literal(printer->out, "  ");
}

static void print_comment(Printer *printer, Span text) {
    while (text.len) {
        const char *newline = memchr(text.ptr, '\n', text.len);
        Span line = newline ? span(text.ptr, (size_t)(newline - text.ptr)) : text;
        text = span_skip(text, line.len + 1);
        begin_line(printer);
        buf_add_literal(printer->out, "//");
        if (line.len && line.ptr[0] != ' ')
            buf_add_char(printer->out, ' ');
        buf_add(printer->out, line);
        buf_add_char(printer->out, '\n');
    }
}

/* The comments of what stands at the printer's path. */
static void print_comments(Printer *printer) {
    const GoogleProtobufSourceCodeInfo *info = printer->file->source_code_info;
    for (uint32_t i = 0; info && i < info->location.count; i++) {
        const GoogleProtobufSourceCodeInfoLocation *location = &info->location.items[i];
        if (location->path.count != printer->depth ||
            memcmp(location->path.items, printer->path, printer->depth * sizeof(int32_t)) != 0)
            continue;
        print_comment(printer, location->leading_comments);
        print_comment(printer, location->trailing_comments);
        return;
    }
}

static void open_block(Printer *printer, const char *keyword, Span name) {
    print_comments(printer);
    begin_line(printer);
    buf_printf(printer->out, "%s %.*s {\n", keyword, SPAN_ARGS(name));
    printer->indent++;
}

static void close_block(Printer *printer) {
    printer->indent--;
    begin_line(printer);
    buf_add_literal(printer->out, "}\n");
}

static void print_text(Buf *out, Span text) {
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if ((unsigned char)c < 0x20)
            buf_printf(out, "\\%03o", (unsigned char)c);
        else
            buf_add_char(out, c);
    }
    buf_add_char(out, '"');
}

/* ".package.Type" as it would be written in this file. */
static Span short_type(const Printer *printer, Span name) {
    Span package = printer->file->package;
    if (name.len && name.ptr[0] == '.')
        name = span_skip(name, 1);
    if (package.len && name.len > package.len + 1 && span_starts(name, package) &&
        name.ptr[package.len] == '.')
        return span_skip(name, package.len + 1);
    return name;
}

static Span last_part(Span name) {
    const char *dot = name.len ? memrchr(name.ptr, '.', name.len) : NULL;
    return dot ? span_skip(name, (size_t)(dot + 1 - name.ptr)) : name;
}

/* ---- fields ---- */

static const char *const SCALARS[] = {
    [SCHEMA_DOUBLE] = "double",     [SCHEMA_FLOAT] = "float",   [SCHEMA_INT64] = "int64",
    [SCHEMA_UINT64] = "uint64",     [SCHEMA_INT32] = "int32",   [SCHEMA_FIXED64] = "fixed64",
    [SCHEMA_FIXED32] = "fixed32",   [SCHEMA_BOOL] = "bool",     [SCHEMA_STRING] = "string",
    [SCHEMA_BYTES] = "bytes",       [SCHEMA_UINT32] = "uint32", [SCHEMA_SFIXED32] = "sfixed32",
    [SCHEMA_SFIXED64] = "sfixed64", [SCHEMA_SINT32] = "sint32", [SCHEMA_SINT64] = "sint64",
    [SCHEMA_ENUM] = NULL,           [SCHEMA_MESSAGE] = NULL,
};
#define TYPE_COUNT (int32_t)(sizeof SCALARS / sizeof *SCALARS)

static Span type_of(const Printer *printer, const Field *field) {
    bool known = field->type > 0 && field->type < TYPE_COUNT;
    return known && SCALARS[field->type] ? span_of(SCALARS[field->type])
                                         : short_type(printer, field->type_name);
}

/* The type nested in `message` that the field's type name means; NULL when it is not in there. */
static const Message *nested_type(const Message *message, const Field *field, uint32_t *ret_index) {
    Span name = last_part(field->type_name);
    for (uint32_t i = 0; message && i < message->nested_type.count; i++) {
        if (!span_equal(message->nested_type.items[i].name, name))
            continue;
        *ret_index = i;
        return &message->nested_type.items[i];
    }
    return NULL;
}

static const Message *map_entry(const Message *message, const Field *field) {
    uint32_t index;
    const Message *entry =
        field->type == SCHEMA_MESSAGE ? nested_type(message, field, &index) : NULL;
    return entry && entry->options && entry->options->map_entry && entry->field.count == 2 ? entry
                                                                                           : NULL;
}

static const char *label_of(const Printer *printer, const Field *field) {
    bool proto2 = !printer->file->syntax.len || span_equal(printer->file->syntax, SPAN("proto2"));
    if (field->label == PB_LABEL_REPEATED)
        return "repeated ";
    if (field->label == PB_LABEL_REQUIRED)
        return "required ";
    return field->proto3_optional || (proto2 && !field->has_oneof_index) ? "optional " : "";
}

/* Whether the JSON name is another than lowerCamelCase. */
static bool has_own_json_name(const Field *field) {
    size_t at = 0;
    bool upper = false;
    for (size_t i = 0; i < field->name.len; i++) {
        char c = field->name.ptr[i];
        if (c == '_') {
            upper = true;
            continue;
        }
        if (upper && c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        upper = false;
        if (at >= field->json_name.len || field->json_name.ptr[at++] != c)
            return true;
    }
    return at != field->json_name.len;
}

static void print_field_options(Buf *out, const Field *field) {
    const GoogleProtobufFieldOptions *options = field->options;
    const char *separator = " [";
    if (field->has_default_value) {
        buf_printf(out, "%sdefault = ", separator);
        separator = ", ";
        if (field->type == SCHEMA_STRING)
            print_text(out, field->default_value);
        else if (field->type == SCHEMA_BYTES) /* is escaped already */
            buf_printf(out, "\"%.*s\"", SPAN_ARGS(field->default_value));
        else
            buf_add(out, field->default_value);
    }
    if (field->has_json_name && has_own_json_name(field)) {
        buf_printf(out, "%sjson_name = ", separator);
        separator = ", ";
        print_text(out, field->json_name);
    }
    if (options && options->has_packed) {
        buf_printf(out, "%spacked = %s", separator, options->packed ? "true" : "false");
        separator = ", ";
    }
    if (options && options->deprecated) {
        buf_printf(out, "%sdeprecated = true", separator);
        separator = ", ";
    }
    if (separator[0] == ',')
        buf_add_char(out, ']');
}

static void print_message_body(Printer *printer, const Message *message);

static void print_field(Printer *printer, const Message *message, const Field *field) {
    Buf *out = printer->out;
    const Message *entry = map_entry(message, field);
    print_comments(printer);
    begin_line(printer);
    if (entry) {
        Span key = type_of(printer, &entry->field.items[0]);
        Span value = type_of(printer, &entry->field.items[1]);
        buf_printf(out, "map<%.*s, %.*s> %.*s = %d", SPAN_ARGS(key), SPAN_ARGS(value),
                   SPAN_ARGS(field->name), field->number);
    } else if (field->type == SCHEMA_GROUP) {
        uint32_t index;
        const Message *group = nested_type(message, field, &index);
        buf_printf(out, "%sgroup %.*s = %d {\n", label_of(printer, field),
                   SPAN_ARGS(last_part(field->type_name)), field->number);
        uint32_t depth = printer->depth;
        printer->depth -= 2;
        printer->indent++;
        if (group && enter(printer, GoogleProtobufDescriptorProto_nested_type_number, index))
            print_message_body(printer, group);
        printer->depth = depth;
        close_block(printer);
        return;
    } else {
        buf_printf(out, "%s%.*s %.*s = %d", label_of(printer, field),
                   SPAN_ARGS(type_of(printer, field)), SPAN_ARGS(field->name), field->number);
    }
    print_field_options(out, field);
    buf_add_literal(out, ";\n");
}

/* ---- messages and enums ---- */

static void print_range(Buf *out, const char *separator, int64_t first, int64_t last,
                        int64_t most) {
    buf_printf(out, "%s%lld", separator, (long long)first);
    if (last >= most)
        buf_add_literal(out, " to max");
    else if (last > first)
        buf_printf(out, " to %lld", (long long)last);
}

static void print_names(Printer *printer, const Span *names, uint32_t count) {
    if (!count)
        return;
    begin_line(printer);
    for (uint32_t i = 0; i < count; i++) {
        buf_add(printer->out, i ? SPAN(", ") : SPAN("reserved "));
        print_text(printer->out, names[i]);
    }
    buf_add_literal(printer->out, ";\n");
}

static void print_ranges(Printer *printer, const Message *message) {
    for (uint32_t i = 0; i < message->reserved_range.count; i++) {
        begin_line(printer);
        print_range(printer->out, "reserved ", message->reserved_range.items[i].start,
                    (int64_t)message->reserved_range.items[i].end - 1, FIELD_NUMBER_MAX);
        buf_add_literal(printer->out, ";\n");
    }
    print_names(printer, message->reserved_name.items, message->reserved_name.count);
    for (uint32_t i = 0; i < message->extension_range.count; i++) {
        begin_line(printer);
        print_range(printer->out, "extensions ", message->extension_range.items[i].start,
                    (int64_t)message->extension_range.items[i].end - 1, FIELD_NUMBER_MAX);
        buf_add_literal(printer->out, ";\n");
    }
}

static void print_enum(Printer *printer, const Enum *type) {
    open_block(printer, "enum", type->name);
    if (type->options && type->options->allow_alias) {
        begin_line(printer);
        buf_add_literal(printer->out, "option allow_alias = true;\n");
    }
    for (uint32_t i = 0; i < type->reserved_range.count; i++) {
        begin_line(printer);
        print_range(printer->out, "reserved ", type->reserved_range.items[i].start,
                    type->reserved_range.items[i].end, INT32_MAX);
        buf_add_literal(printer->out, ";\n");
    }
    print_names(printer, type->reserved_name.items, type->reserved_name.count);
    for (uint32_t i = 0; i < type->value.count; i++) {
        const GoogleProtobufEnumValueDescriptorProto *value = &type->value.items[i];
        if (!enter(printer, GoogleProtobufEnumDescriptorProto_value_number, i))
            break;
        print_comments(printer);
        begin_line(printer);
        bool deprecated = value->options && value->options->deprecated;
        buf_printf(printer->out, "%.*s = %d%s;\n", SPAN_ARGS(value->name), value->number,
                   deprecated ? " [deprecated = true]" : "");
        leave(printer);
    }
    close_block(printer);
}

static void print_message(Printer *printer, const Message *message) {
    open_block(printer, "message", message->name);
    print_message_body(printer, message);
    close_block(printer);
}

/* Types that fields of a group or map stand for are not written on their own. */
static bool is_written_elsewhere(const Message *message, const Message *nested) {
    if (nested->options && nested->options->map_entry)
        return true;
    for (uint32_t i = 0; i < message->field.count; i++)
        if (message->field.items[i].type == SCHEMA_GROUP &&
            span_equal(last_part(message->field.items[i].type_name), nested->name))
            return true;
    return false;
}

static void print_nested(Printer *printer, const Message *message) {
    for (uint32_t i = 0; i < message->enum_type.count; i++) {
        if (!enter(printer, GoogleProtobufDescriptorProto_enum_type_number, i))
            return;
        print_enum(printer, &message->enum_type.items[i]);
        leave(printer);
    }
    for (uint32_t i = 0; i < message->nested_type.count; i++) {
        const Message *nested = &message->nested_type.items[i];
        if (is_written_elsewhere(message, nested) ||
            !enter(printer, GoogleProtobufDescriptorProto_nested_type_number, i))
            continue;
        print_message(printer, nested);
        leave(printer);
    }
}

static bool in_real_oneof(const Field *field) {
    return field->has_oneof_index && !field->proto3_optional;
}

static void print_field_at(Printer *printer, const Message *message, uint32_t index) {
    if (!enter(printer, GoogleProtobufDescriptorProto_field_number, index))
        return;
    print_field(printer, message, &message->field.items[index]);
    leave(printer);
}

/* All members of the oneof, where the first of them stands. */
static void print_oneof(Printer *printer, const Message *message, uint32_t first) {
    int32_t oneof = message->field.items[first].oneof_index;
    for (uint32_t i = 0; i < first; i++)
        if (in_real_oneof(&message->field.items[i]) && message->field.items[i].oneof_index == oneof)
            return;
    if (oneof < 0 || (uint32_t)oneof >= message->oneof_decl.count ||
        !enter(printer, GoogleProtobufDescriptorProto_oneof_decl_number, (uint32_t)oneof))
        return;
    open_block(printer, "oneof", message->oneof_decl.items[oneof].name);
    leave(printer);
    for (uint32_t i = first; i < message->field.count; i++)
        if (in_real_oneof(&message->field.items[i]) && message->field.items[i].oneof_index == oneof)
            print_field_at(printer, message, i);
    close_block(printer);
}

static void print_message_body(Printer *printer, const Message *message) {
    if (message->options && message->options->deprecated) {
        begin_line(printer);
        buf_add_literal(printer->out, "option deprecated = true;\n");
    }
    print_ranges(printer, message);
    print_nested(printer, message);
    for (uint32_t i = 0; i < message->field.count; i++) {
        if (in_real_oneof(&message->field.items[i]))
            print_oneof(printer, message, i);
        else
            print_field_at(printer, message, i);
    }
}

/* ---- services ---- */

static void print_rule(Printer *printer, const PbHttpRule *rule) {
    static const struct {
        int32_t number;
        const char *name;
    } VERBS[] = {{2, "get"}, {3, "put"}, {4, "post"}, {5, "delete"}, {6, "patch"}};
    for (size_t i = 0; i < sizeof VERBS / sizeof *VERBS; i++) {
        if (rule->which_pattern != VERBS[i].number)
            continue;
        begin_line(printer);
        buf_printf(printer->out, "option (google.api.http) = {%s: ", VERBS[i].name);
        print_text(printer->out, rule->get); /* all verbs share its place */
        if (rule->body.len) {
            buf_add_literal(printer->out, ", body: ");
            print_text(printer->out, rule->body);
        }
        buf_add_literal(printer->out, "};\n");
    }
}

static void print_http_rules(Printer *printer, const SchemaUnknown *unknown) {
    WireField field;
    for (; unknown; unknown = unknown->next) {
        for (WireReader r = wire_reader(unknown->bytes); wire_next(&r, &field);) {
            Arena arena = {0};
            void *rule;
            if (field.number == HTTP_RULE_NUMBER && field.type == WIRE_BYTES &&
                schema_decode(&PbHttpRule_type, field.bytes, NULL, &arena, &rule, NULL) == 0)
                print_rule(printer, rule);
            arena_done(&arena);
        }
    }
}

static void print_method(Printer *printer, const Method *method) {
    static const char *const LEVELS[] = {
        [SCHEMA_NO_SIDE_EFFECTS] = "NO_SIDE_EFFECTS", [SCHEMA_IDEMPOTENT] = "IDEMPOTENT"};
    const GoogleProtobufMethodOptions *options = method->options;
    Buf *out = printer->out;
    print_comments(printer);
    begin_line(printer);
    buf_printf(out, "rpc %.*s(%s%.*s) returns (%s%.*s)", SPAN_ARGS(method->name),
               method->client_streaming ? "stream " : "",
               SPAN_ARGS(short_type(printer, method->input_type)),
               method->server_streaming ? "stream " : "",
               SPAN_ARGS(short_type(printer, method->output_type)));
    Buf inside = {0};
    Printer body = *printer;
    body.out = &inside;
    body.indent++;
    if (options) {
        if (options->deprecated) {
            begin_line(&body);
            buf_add_literal(&inside, "option deprecated = true;\n");
        }
        if (options->idempotency_level == SCHEMA_NO_SIDE_EFFECTS ||
            options->idempotency_level == SCHEMA_IDEMPOTENT) {
            begin_line(&body);
            buf_printf(&inside, "option idempotency_level = %s;\n",
                       LEVELS[options->idempotency_level]);
        }
        print_http_rules(&body, options->unknown);
    }
    if (!inside.len) {
        buf_add_literal(out, ";\n");
    } else {
        buf_add_literal(out, " {\n");
        buf_add(out, buf_span(&inside));
        begin_line(printer);
        buf_add_literal(out, "}\n");
    }
    buf_done(&inside);
}

static void print_service(Printer *printer, const Service *service) {
    open_block(printer, "service", service->name);
    for (uint32_t i = 0; i < service->method.count; i++) {
        if (!enter(printer, GoogleProtobufServiceDescriptorProto_method_number, i))
            break;
        print_method(printer, &service->method.items[i]);
        leave(printer);
    }
    close_block(printer);
}

void proto_print(const ProtoSymbol *symbol, Buf *out) {
    Printer printer = {.file = symbol->file, .out = out, .depth = symbol->depth};
    memcpy(printer.path, symbol->path, sizeof printer.path);
    if (symbol->type == &GoogleProtobufDescriptorProto_type)
        print_message(&printer, symbol->descriptor);
    else if (symbol->type == &GoogleProtobufEnumDescriptorProto_type)
        print_enum(&printer, symbol->descriptor);
    else if (symbol->type == &GoogleProtobufServiceDescriptorProto_type)
        print_service(&printer, symbol->descriptor);
    else
        print_method(&printer, symbol->descriptor);
}

/* ---- finding ---- */

static void note(ProtoSymbol *ret, const SchemaMessage *type, const void *descriptor,
                 int32_t number, uint32_t index) {
    ret->type = type;
    ret->descriptor = descriptor;
    ret->path[ret->depth++] = number;
    ret->path[ret->depth++] = (int32_t)index;
}

/* Whether the name begins with this part; *ret_rest is what follows it and a dot. */
static bool part_of(Span name, Span part, Span *ret_rest) {
    if (!part.len || !span_starts(name, part) || (name.len > part.len && name.ptr[part.len] != '.'))
        return false;
    *ret_rest = span_skip(name, part.len + 1);
    return true;
}

/* Goes on inside a message that has been noted: `name` is relative to it. */
static void find_inside(const Message *message, Span name, ProtoSymbol *ret) {
    Span rest;
    if (!name.len || ret->depth + 2 > PROTO_DEPTH_MAX)
        return;
    for (uint32_t i = 0; i < message->nested_type.count; i++) {
        const Message *nested = &message->nested_type.items[i];
        if (!part_of(name, nested->name, &rest))
            continue;
        note(ret, &GoogleProtobufDescriptorProto_type, nested,
             GoogleProtobufDescriptorProto_nested_type_number, i);
        find_inside(nested, rest, ret);
        return;
    }
    for (uint32_t i = 0; i < message->enum_type.count; i++)
        if (part_of(name, message->enum_type.items[i].name, &rest))
            note(ret, &GoogleProtobufEnumDescriptorProto_type, &message->enum_type.items[i],
                 GoogleProtobufDescriptorProto_enum_type_number, i);
}

static void find_method(const Service *service, Span name, ProtoSymbol *ret) {
    for (uint32_t i = 0; i < service->method.count; i++)
        if (span_equal(service->method.items[i].name, name))
            note(ret, &GoogleProtobufMethodDescriptorProto_type, &service->method.items[i],
                 GoogleProtobufServiceDescriptorProto_method_number, i);
}

static bool has_value(const Enum *type, Span name) {
    for (uint32_t i = 0; i < type->value.count; i++)
        if (span_equal(type->value.items[i].name, name))
            return true;
    return false;
}

bool proto_find(const File *file, Span name, ProtoSymbol *ret) {
    Span rest = name;
    *ret = (ProtoSymbol){.file = file};
    if (file->package.len && !part_of(name, file->package, &rest))
        return false;
    name = rest;
    for (uint32_t i = 0; i < file->message_type.count && !ret->depth; i++)
        if (part_of(name, file->message_type.items[i].name, &rest)) {
            note(ret, &GoogleProtobufDescriptorProto_type, &file->message_type.items[i],
                 GoogleProtobufFileDescriptorProto_message_type_number, i);
            find_inside(&file->message_type.items[i], rest, ret);
        }
    for (uint32_t i = 0; i < file->service.count && !ret->depth; i++)
        if (part_of(name, file->service.items[i].name, &rest)) {
            note(ret, &GoogleProtobufServiceDescriptorProto_type, &file->service.items[i],
                 GoogleProtobufFileDescriptorProto_service_number, i);
            find_method(&file->service.items[i], rest, ret);
        }
    /* Values of an enum stand beside it, not in it. */
    for (uint32_t i = 0; i < file->enum_type.count && !ret->depth; i++)
        if (part_of(name, file->enum_type.items[i].name, &rest) ||
            has_value(&file->enum_type.items[i], name))
            note(ret, &GoogleProtobufEnumDescriptorProto_type, &file->enum_type.items[i],
                 GoogleProtobufFileDescriptorProto_enum_type_number, i);
    return ret->depth > 0;
}
