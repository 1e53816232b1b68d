/* Any bytes as a FileDescriptorSet. Types that the pool accepts must be sound: every message of
 * theirs can be made, decoded, encoded, copied, compared and printed. */
#include <assert.h>

#include "schema/json.h"
#include "schema/pool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fields(const SchemaMessage *type) {
    for (size_t i = 0; i < type->field_count; i++) {
        const SchemaField *field = &type->fields[i];
        bool list = field->shape != SCHEMA_SINGULAR;
        size_t room = list ? sizeof(SchemaArray) : schema_element_size(field);
        assert(field->offset >= sizeof(SchemaUnknown *));
        assert(field->offset + room <= type->size && field->presence < type->size);
        assert(schema_field_by_number(type, schema_number(field)) == field);
        assert(schema_field_by_name(type, span(field->name, field->name_len)) == field);
        assert(schema_field_by_name(type, span(field->json_name, field->json_name_len)));
    }
}

static void check_message(const SchemaMessage *type, const void *message, Arena *arena) {
    Span bytes;
    void *back;
    SchemaDecode partial = {.allow_partial = true};
    assert(schema_encode(type, message, 0, arena, &bytes) == 0);
    assert(bytes.len == schema_size(type, message));
    assert(schema_decode(type, bytes, &partial, arena, &back, NULL) == 0);
    assert(schema_equal(type, back, schema_copy(type, back, arena)));
    Buf text = {.arena = arena};
    SchemaError error;
    schema_json_encode(type, message, NULL, &text, &error);
}

static void check_type(const SchemaMessage *type, Span input) {
    Arena arena = {0};
    SchemaDecode partial = {.allow_partial = true};
    SchemaError error;
    void *message;
    check_fields(type);
    check_message(type, schema_new(type, &arena), &arena);
    if (schema_decode(type, input, &partial, &arena, &message, &error) == 0)
        check_message(type, message, &arena);
    arena_done(&arena);
}

static void check_service(const SchemaService *service) {
    for (size_t i = 0; i < service->method_count; i++) {
        const SchemaMethod *method = &service->methods[i];
        assert(method->input && method->output && method->path[0] == '/');
        for (size_t k = 0; k < method->http_count; k++)
            assert(method->http[k].verb && method->http[k].pattern && method->http[k].body);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum { TYPES = 64 };
    Span input = span(data, size);
    SchemaPool *pool = schema_pool_new();
    SchemaError error;
    if (schema_pool_add_set(pool, input, &error) == 0) {
        size_t at = 0;
        for (const SchemaFile *file; (file = schema_pool_next(pool, &at));) {
            for (size_t i = 0; i < file->message_count && i < TYPES; i++)
                check_type(file->messages[i], input);
            for (size_t i = 0; i < file->enum_count; i++)
                assert(schema_enum_name(file->enums[i], file->enums[i]->first));
            for (size_t i = 0; i < file->service_count; i++)
                check_service(file->services[i]);
            assert(schema_pool_file(pool, span_of(file->name)) == file);
        }
    } else {
        size_t at = 0;
        assert(!schema_pool_next(pool, &at));
    }
    schema_pool_free(pool);
    return 0;
}
