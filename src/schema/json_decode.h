/* What the parts of the JSON decoder offer each other: json_decode.c reads messages field by
 * field, json_decode_known.c those types that JSON writes in a way of their own. */
#pragma once

#include "schema/json_reader.h"

/* Returned instead of 0 for an enum value that is unknown and to be passed over. */
#define JSON_DROPPED 1

/* Reads a message of any type into an empty one. */
int json_read_message(JsonReader *reader, const SchemaMessage *type, void *message);

/* Reads an object as the fields of an ordinary message. Inside an Any its member "@type" has been
 * read already and is passed over. */
int json_read_fields(JsonReader *reader, const SchemaMessage *type, void *message, bool in_any);

/* Reads the value of a field, which is absent so far. */
int json_read_field(JsonReader *reader, const SchemaField *field, void *message);

/* Reads a message whose type is not SCHEMA_ORDINARY. */
int json_read_known(JsonReader *reader, const SchemaMessage *type, void *message);

/* Whether all required fields of a message that was just read are set. */
int json_check_required(JsonReader *reader, const SchemaMessage *type, const void *message);

/* States that a field is unknown; suggests the one that may have been meant. */
int json_fail_unknown(JsonReader *reader, const char *at, const SchemaMessage *type, Span name)
    __attribute__((cold));
