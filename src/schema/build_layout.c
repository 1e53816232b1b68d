#include "schema/build.h"

/* Members stand by falling alignment, so that no padding lies between them: first all of eight
 * bytes and their multiples, then four, then single bytes. Within one alignment: fields by
 * number, then oneofs, then presence. */

static bool is_oneof_member(const SchemaField *field) {
    return field->flags & SCHEMA_ONEOF_MEMBER;
}

static uint32_t alignment(size_t size) {
    return size >= 8 ? 8 : (uint32_t)size;
}

static size_t value_size(const SchemaField *field) {
    return field->shape == SCHEMA_SINGULAR ? schema_element_size(field) : sizeof(SchemaArray);
}

void build_layout(SchemaMessage *message, SchemaField *fields, SchemaOneof *oneofs) {
    size_t union_size[256] = {0};
    uint32_t union_at[256] = {0};
    for (size_t i = 0; i < message->field_count; i++) {
        size_t size = value_size(&fields[i]);
        if (is_oneof_member(&fields[i]) && size > union_size[fields[i].oneof])
            union_size[fields[i].oneof] = size;
    }

    uint32_t at = sizeof(SchemaUnknown *);
    for (uint32_t align = 8; align > 0; align = align == 8 ? 4 : align == 4 ? 1 : 0) {
        for (size_t i = 0; i < message->field_count; i++) {
            size_t size = value_size(&fields[i]);
            if (is_oneof_member(&fields[i]) || alignment(size) != align)
                continue;
            fields[i].offset = at;
            at += (uint32_t)size;
        }
        for (size_t i = 0; i < message->oneof_count; i++) {
            if (align == sizeof(int32_t)) {
                oneofs[i].which = at;
                at += sizeof(int32_t);
            }
            if (alignment(union_size[i]) == align) {
                union_at[i] = at;
                at += (uint32_t)union_size[i];
            }
        }
    }
    for (size_t i = 0; i < message->field_count; i++) {
        if (is_oneof_member(&fields[i])) {
            fields[i].offset = union_at[fields[i].oneof];
            fields[i].presence = oneofs[fields[i].oneof].which;
        } else if (fields[i].flags & SCHEMA_HAS) {
            fields[i].presence = at++;
        }
    }
    message->size = (at + 7) & ~7u;
}
