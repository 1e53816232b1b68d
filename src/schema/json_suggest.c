/* "unknown field 'servce_name'; did you mean 'service_name'?" */
#include "base/nearest.h"
#include "schema/json_decode.h"

int json_fail_unknown(JsonReader *reader, const char *at, const SchemaMessage *type, Span name) {
    if (name.len && name.ptr[0] == '[')
        return json_fail(reader, at, "extension '%.*s' is not known", schema_shown(name, 100),
                         name.ptr);
    if (name.len > NEAREST_MAX)
        return json_fail(reader, at, "unknown field '%.*s...'", schema_shown(name, NEAREST_MAX),
                         name.ptr);
    Nearest nearest = nearest_to(name);
    for (size_t i = 0; i < type->field_count; i++) {
        const SchemaField *field = &type->fields[i];
        nearest_consider(&nearest, span(field->name, field->name_len));
        nearest_consider(&nearest, span(field->json_name, field->json_name_len));
    }
    if (!nearest.best.len)
        return json_fail(reader, at, "unknown field '%.*s'", SPAN_ARGS(name));
    return json_fail(reader, at, "unknown field '%.*s'; did you mean '%.*s'?", SPAN_ARGS(name),
                     SPAN_ARGS(nearest.best));
}
