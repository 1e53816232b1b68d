#include <stdlib.h>

#include "generate.h"
#include "schema/types.h"

/* A member of a struct that is no value by itself. */
typedef enum MemberKind { MEMBER_VALUE, MEMBER_HAS, MEMBER_WHICH, MEMBER_UNION } MemberKind;

typedef struct Member {
    uint32_t offset;
    MemberKind kind;
    const SchemaField *field; /* of a value or its presence */
    size_t oneof;             /* of a which or union */
} Member;

typedef struct Header {
    const SchemaFile *file;
    const Names *names;
    const Comments *comments;
    Buf *out;
} Header;

static const char *message_name(const Header *h, const SchemaMessage *message) {
    return name_of_type(h->names, message->file, message->full_name);
}

static void print_enum(const Header *h, const SchemaEnum *table) {
    const char *name = name_of_type(h->names, table->file, table->full_name);
    comments_print(h->comments, h->out, table->full_name, NULL, 0);
    buf_printf(h->out, "typedef enum %s {\n", name);
    for (size_t i = 0; i < table->count; i++) {
        const SchemaEnumValue *value = &table->values[i];
        comments_print(h->comments, h->out, table->full_name, value->name, 4);
        const char *constant = name_of_value(h->names, table, i);
        if (value->number == INT32_MIN) /* C has no literal for it */
            buf_printf(h->out, "    %s = -2147483647 - 1,\n", constant);
        else
            buf_printf(h->out, "    %s = %d,\n", constant, (int)value->number);
    }
    buf_printf(h->out, "} %s;\nextern const SchemaEnum %s_type;\n\n", name, name);
}

/* The C type of one value; of a message without the star of a singular one. */
static const char *value_type(const Header *h, const SchemaField *field) {
    switch ((SchemaType)field->type) {
    case SCHEMA_DOUBLE:
        return "double";
    case SCHEMA_FLOAT:
        return "float";
    case SCHEMA_INT64:
    case SCHEMA_SINT64:
    case SCHEMA_SFIXED64:
        return "int64_t";
    case SCHEMA_UINT64:
    case SCHEMA_FIXED64:
        return "uint64_t";
    case SCHEMA_INT32:
    case SCHEMA_SINT32:
    case SCHEMA_SFIXED32:
    case SCHEMA_ENUM:
        return "int32_t";
    case SCHEMA_UINT32:
    case SCHEMA_FIXED32:
        return "uint32_t";
    case SCHEMA_BOOL:
        return "bool";
    case SCHEMA_STRING:
    case SCHEMA_BYTES:
        return "Span";
    case SCHEMA_MESSAGE:
    case SCHEMA_GROUP:
        return message_name(h, field->message);
    }
    return NULL;
}

static void print_value(const Header *h, const SchemaMessage *message, const SchemaField *field,
                        int indent) {
    comments_print(h->comments, h->out, message->full_name, field->name, indent);
    const char *type = value_type(h, field), *name = name_of_member(h->names, message, field);
    buf_printf(h->out, "%*s", indent, "");
    if (field->shape != SCHEMA_SINGULAR)
        buf_printf(h->out, "SCHEMA_REPEATED(%s) %s;", type, name);
    else
        buf_printf(h->out, "%s %s%s;", type, type_is_message(field->type) ? "*" : "", name);
    if (field->type == SCHEMA_ENUM)
        buf_printf(h->out, " /* %s */",
                   name_of_type(h->names, field->enumeration->file, field->enumeration->full_name));
    buf_add_char(h->out, '\n');
}

static void print_union(const Header *h, const SchemaMessage *message, size_t oneof) {
    comments_print(h->comments, h->out, message->full_name, message->oneofs[oneof].name, 4);
    buf_add_literal(h->out, "    union {\n");
    for (size_t i = 0; i < message->field_count; i++) {
        const SchemaField *field = &message->fields[i];
        if ((field->flags & SCHEMA_ONEOF_MEMBER) && field->oneof == oneof)
            print_value(h, message, field, 8);
    }
    buf_add_literal(h->out, "    };\n");
}

static int by_offset(const void *a, const void *b) {
    uint32_t x = ((const Member *)a)->offset, y = ((const Member *)b)->offset;
    return x < y ? -1 : x > y;
}

/* The members in the order in which the table lays them out, so that struct and table agree. */
static size_t list_members(const SchemaMessage *message, Member *members) {
    size_t count = 0;
    for (size_t i = 0; i < message->field_count; i++) {
        const SchemaField *field = &message->fields[i];
        if (!(field->flags & SCHEMA_ONEOF_MEMBER))
            members[count++] = (Member){field->offset, MEMBER_VALUE, field, 0};
        if (field->flags & SCHEMA_HAS)
            members[count++] = (Member){field->presence, MEMBER_HAS, field, 0};
    }
    for (size_t i = 0; i < message->oneof_count; i++) {
        const SchemaField *field = message->fields;
        while (!(field->flags & SCHEMA_ONEOF_MEMBER) || field->oneof != i)
            field++;
        members[count++] = (Member){message->oneofs[i].which, MEMBER_WHICH, NULL, i};
        members[count++] = (Member){field->offset, MEMBER_UNION, NULL, i};
    }
    qsort(members, count, sizeof *members, by_offset);
    return count;
}

static void print_struct(const Header *h, const SchemaMessage *message) {
    Buf *out = h->out;
    size_t most = 2 * ((size_t)message->field_count + message->oneof_count) + 1;
    Member *members = arena_alloc(h->names->arena, most * sizeof *members);
    size_t count = list_members(message, members);
    comments_print(h->comments, out, message->full_name, NULL, 0);
    buf_printf(out, "struct %s {\n    SchemaUnknown *unknown;\n", message_name(h, message));
    for (size_t i = 0; i < count; i++) {
        const Member *member = &members[i];
        switch (member->kind) {
        case MEMBER_VALUE:
            print_value(h, message, member->field, 4);
            break;
        case MEMBER_HAS:
            buf_printf(out, "    bool has_%s;\n", member->field->name);
            break;
        case MEMBER_WHICH:
            buf_printf(out, "    int32_t which_%s;\n", message->oneofs[member->oneof].name);
            break;
        case MEMBER_UNION:
            print_union(h, message, member->oneof);
            break;
        }
    }
    buf_add_literal(out, "};\n");
}

static void print_message(const Header *h, const SchemaMessage *message) {
    const char *name = message_name(h, message);
    print_struct(h, message);
    if (message->field_count) {
        buf_add_literal(h->out, "enum {\n");
        for (size_t i = 0; i < message->field_count; i++)
            buf_printf(h->out, "    %s_%s_number = %u,\n", name, message->fields[i].name,
                       schema_number(&message->fields[i]));
        buf_add_literal(h->out, "};\n");
    }
    buf_printf(h->out, "extern const SchemaMessage %s_type;\n\n", name);
}

static void print_service(const Header *h, const SchemaService *service) {
    const char *name = name_of_type(h->names, service->file, service->full_name);
    comments_print(h->comments, h->out, service->full_name, NULL, 0);
    buf_printf(h->out, "extern const SchemaService %s_service;\n", name);
    if (service->method_count) {
        buf_printf(h->out, "/* Indices of its methods. */\nenum {\n");
        for (size_t i = 0; i < service->method_count; i++) {
            comments_print(h->comments, h->out, service->full_name, service->methods[i].name, 4);
            buf_printf(h->out, "    %s_%s = %zu,\n", name, service->methods[i].name, i);
        }
        buf_add_literal(h->out, "};\n");
    }
    buf_add_char(h->out, '\n');
}

/* Messages may point to each other in any order. */
static void print_forward(const Header *h) {
    for (size_t i = 0; i < h->file->message_count; i++) {
        const char *name = message_name(h, h->file->messages[i]);
        buf_printf(h->out, "typedef struct %s %s;\n", name, name);
    }
    if (h->file->message_count)
        buf_add_char(h->out, '\n');
}

static void print_include(const Header *h, const SchemaFile *file, Map *included) {
    if (file == h->file || map_get(included, span_of(file->name)))
        return;
    map_put(included, (void *)file);
    buf_printf(h->out, "#include \"%s\"\n", name_of_output(h->names, file->name, ".pb.h"));
}

static Span file_key(const void *item) {
    return span_of(((const SchemaFile *)item)->name);
}

/* The files whose types are named here; an import for options alone is not among them, one behind
 * a public import is. */
static void print_includes(const Header *h) {
    Map included;
    map_init(&included, file_key, 0);
    buf_add_literal(h->out, "#include \"schema/schema.h\"\n");
    for (size_t i = 0; i < h->file->message_count; i++) {
        const SchemaMessage *message = h->file->messages[i];
        for (size_t k = 0; k < message->field_count; k++) {
            const SchemaField *field = &message->fields[k];
            if (type_is_message(field->type))
                print_include(h, field->message->file, &included);
            else if (field->type == SCHEMA_ENUM)
                print_include(h, field->enumeration->file, &included);
        }
    }
    for (size_t i = 0; i < h->file->service_count; i++) {
        const SchemaService *service = h->file->services[i];
        for (size_t k = 0; k < service->method_count; k++) {
            print_include(h, service->methods[k].input->file, &included);
            print_include(h, service->methods[k].output->file, &included);
        }
    }
    map_done(&included);
}

void generate_header(const SchemaFile *file, const Names *names, const Comments *comments,
                     Buf *out) {
    Header h = {file, names, comments, out};
    buf_printf(out, "/* Made from %s by protoc-gen-muster; not to be edited. */\n", file->name);
    buf_add_literal(out, "#pragma once\n\n");
    print_includes(&h);
    buf_add_literal(out, "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    buf_printf(out, "extern const SchemaFile %s;\n\n", name_of_file(names, file->name));
    for (size_t i = 0; i < file->enum_count; i++)
        print_enum(&h, file->enums[i]);
    print_forward(&h);
    for (size_t i = 0; i < file->message_count; i++)
        print_message(&h, file->messages[i]);
    for (size_t i = 0; i < file->service_count; i++)
        print_service(&h, file->services[i]);
    buf_add_literal(out, "#ifdef __cplusplus\n}\n#endif\n");
}
