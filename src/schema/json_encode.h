/* What the parts of the JSON encoder offer each other: json_encode.c writes messages field by
 * field, json_encode_known.c those types that JSON writes in a way of their own. */
#pragma once

#include "schema/json_writer.h"

/* Writes a message of any type. */
int json_write_message(JsonWriter *writer, const SchemaMessage *type, const void *message);

/* Writes an ordinary message's fields as the members of the object at hand, between json_open and
 * json_close. *first is whether none stands there yet. */
int json_write_fields(JsonWriter *writer, const SchemaMessage *type, const void *message,
                      bool *first);

/* Writes the value of a field. */
int json_write_field(JsonWriter *writer, const SchemaField *field, const void *message);

/* Writes a message whose type is not SCHEMA_ORDINARY. */
int json_write_known(JsonWriter *writer, const SchemaMessage *type, const void *message);
