#include "schema/descriptor.h"

#include "schema/wire.h"

/* One field of the struct T, which is defined anew before each table. */
#define FIELD(number, wire, kind, member, json, ...)                                               \
    NAMED_FIELD(number, wire, kind, member, #member, json, __VA_ARGS__)
#define NAMED_FIELD(number, wire, kind, member, proto, json, ...)                                  \
    {                                                                                              \
        .tag = (number) << 3 | (wire), .offset = offsetof(T, member), .type = SCHEMA_##kind,       \
        .name = proto, .name_len = sizeof proto - 1, .json_name = json,                            \
        .json_name_len = sizeof json - 1, __VA_ARGS__                                              \
    }
#define PRESENCE(member) .flags = SCHEMA_HAS, .presence = offsetof(T, has_##member)
#define REPEATED         .shape = SCHEMA_REPEATED_FIELD

#define STRING(number, member, json)                                                               \
    FIELD(number, WIRE_BYTES, STRING, member, json, PRESENCE(member))
#define VARINT(number, kind, member, json)                                                         \
    FIELD(number, WIRE_VARINT, kind, member, json, PRESENCE(member))
#define CLOSED_ENUM(number, member, json, table)                                                   \
    FIELD(number, WIRE_VARINT, ENUM, member, json, .flags = SCHEMA_HAS | SCHEMA_CLOSED,            \
          .presence = offsetof(T, has_##member), .enumeration = &(table))
#define MESSAGE(number, member, json, table)                                                       \
    FIELD(number, WIRE_BYTES, MESSAGE, member, json, .message = &(table))
#define STRINGS(number, member, json) FIELD(number, WIRE_BYTES, STRING, member, json, REPEATED)
#define MESSAGES(number, member, json, table)                                                      \
    FIELD(number, WIRE_BYTES, MESSAGE, member, json, REPEATED, .message = &(table))

/* proto3: no presence, UTF-8 checked. */
#define TEXT(number, member, json)                                                                 \
    FIELD(number, WIRE_BYTES, STRING, member, json, .flags = SCHEMA_UTF8)

/* The table of message T from its fields; they are few, so they are found by name without
 * name_slots. */
#define TABLE(name, members, ...)                                                                  \
    {                                                                                              \
        .fields = members, .field_count = sizeof(members) / sizeof(members[0]), .size = sizeof(T), \
        .full_name = name, __VA_ARGS__                                                             \
    }

#define VALUE(number, name)                                                                        \
    { number, sizeof name - 1, name }

#define T PbFieldOptions
static const SchemaField field_options[] = {
    VARINT(2, BOOL, packed, "packed"),
    VARINT(3, BOOL, deprecated, "deprecated"),
};
const SchemaMessage PbFieldOptions_type = TABLE("google.protobuf.FieldOptions", field_options);
#undef T

static const SchemaEnumValue type_values[] = {
    VALUE(1, "TYPE_DOUBLE"),    VALUE(2, "TYPE_FLOAT"),    VALUE(3, "TYPE_INT64"),
    VALUE(4, "TYPE_UINT64"),    VALUE(5, "TYPE_INT32"),    VALUE(6, "TYPE_FIXED64"),
    VALUE(7, "TYPE_FIXED32"),   VALUE(8, "TYPE_BOOL"),     VALUE(9, "TYPE_STRING"),
    VALUE(10, "TYPE_GROUP"),    VALUE(11, "TYPE_MESSAGE"), VALUE(12, "TYPE_BYTES"),
    VALUE(13, "TYPE_UINT32"),   VALUE(14, "TYPE_ENUM"),    VALUE(15, "TYPE_SFIXED32"),
    VALUE(16, "TYPE_SFIXED64"), VALUE(17, "TYPE_SINT32"),  VALUE(18, "TYPE_SINT64"),
};
static const SchemaEnum type_enum = {
    .values = type_values,
    .by_name = (const uint16_t[]){7, 11, 0, 13, 6, 5, 1, 9, 4, 2, 10, 14, 15, 16, 17, 8, 12, 3},
    .count = 18,
    .closed = true,
    .first = 1,
    .full_name = "google.protobuf.FieldDescriptorProto.Type",
};

static const SchemaEnumValue label_values[] = {
    VALUE(1, "LABEL_OPTIONAL"),
    VALUE(2, "LABEL_REQUIRED"),
    VALUE(3, "LABEL_REPEATED"),
};
static const SchemaEnum label_enum = {
    .values = label_values,
    .by_name = (const uint16_t[]){0, 2, 1},
    .count = 3,
    .closed = true,
    .first = 1,
    .full_name = "google.protobuf.FieldDescriptorProto.Label",
};

#define T PbFieldDescriptorProto
static const SchemaField field_descriptor[] = {
    STRING(1, name, "name"),
    VARINT(3, INT32, number, "number"),
    CLOSED_ENUM(4, label, "label", label_enum),
    CLOSED_ENUM(5, type, "type", type_enum),
    STRING(6, type_name, "typeName"),
    STRING(7, default_value, "defaultValue"),
    MESSAGE(8, options, "options", PbFieldOptions_type),
    VARINT(9, INT32, oneof_index, "oneofIndex"),
    STRING(10, json_name, "jsonName"),
    VARINT(17, BOOL, proto3_optional, "proto3Optional"),
};
static const PbFieldDescriptorProto field_descriptor_initial = {
    .label = PB_LABEL_OPTIONAL,
    .type = SCHEMA_DOUBLE,
};
const SchemaMessage PbFieldDescriptorProto_type =
    TABLE("google.protobuf.FieldDescriptorProto", field_descriptor, .dense = 1,
          .initial = &field_descriptor_initial);
#undef T

#define T PbOneofDescriptorProto
static const SchemaField oneof_descriptor[] = {
    STRING(1, name, "name"),
};
const SchemaMessage PbOneofDescriptorProto_type =
    TABLE("google.protobuf.OneofDescriptorProto", oneof_descriptor, .dense = 1);
#undef T

#define T PbEnumValueDescriptorProto
static const SchemaField enum_value_descriptor[] = {
    STRING(1, name, "name"),
    VARINT(2, INT32, number, "number"),
};
const SchemaMessage PbEnumValueDescriptorProto_type =
    TABLE("google.protobuf.EnumValueDescriptorProto", enum_value_descriptor, .dense = 2);
#undef T

#define T PbEnumDescriptorProto
static const SchemaField enum_descriptor[] = {
    STRING(1, name, "name"),
    MESSAGES(2, value, "value", PbEnumValueDescriptorProto_type),
};
const SchemaMessage PbEnumDescriptorProto_type =
    TABLE("google.protobuf.EnumDescriptorProto", enum_descriptor, .dense = 2);
#undef T

#define T PbMessageOptions
static const SchemaField message_options[] = {
    VARINT(7, BOOL, map_entry, "mapEntry"),
};
const SchemaMessage PbMessageOptions_type =
    TABLE("google.protobuf.MessageOptions", message_options);
#undef T

#define T PbDescriptorProto
static const SchemaField message_descriptor[] = {
    STRING(1, name, "name"),
    MESSAGES(2, field, "field", PbFieldDescriptorProto_type),
    MESSAGES(3, nested_type, "nestedType", PbDescriptorProto_type),
    MESSAGES(4, enum_type, "enumType", PbEnumDescriptorProto_type),
    MESSAGE(7, options, "options", PbMessageOptions_type),
    MESSAGES(8, oneof_decl, "oneofDecl", PbOneofDescriptorProto_type),
};
const SchemaMessage PbDescriptorProto_type =
    TABLE("google.protobuf.DescriptorProto", message_descriptor, .dense = 4);
#undef T

static const SchemaEnumValue idempotency_values[] = {
    VALUE(0, "IDEMPOTENCY_UNKNOWN"),
    VALUE(1, "NO_SIDE_EFFECTS"),
    VALUE(2, "IDEMPOTENT"),
};
static const SchemaEnum idempotency_enum = {
    .values = idempotency_values,
    .by_name = (const uint16_t[]){0, 2, 1},
    .count = 3,
    .closed = true,
    .full_name = "google.protobuf.MethodOptions.IdempotencyLevel",
};

#define T PbMethodOptions
static const SchemaField method_options[] = {
    VARINT(33, BOOL, deprecated, "deprecated"),
    CLOSED_ENUM(34, idempotency_level, "idempotencyLevel", idempotency_enum),
};
const SchemaMessage PbMethodOptions_type = TABLE("google.protobuf.MethodOptions", method_options);
#undef T

#define T PbMethodDescriptorProto
static const SchemaField method_descriptor[] = {
    STRING(1, name, "name"),
    STRING(2, input_type, "inputType"),
    STRING(3, output_type, "outputType"),
    MESSAGE(4, options, "options", PbMethodOptions_type),
    VARINT(5, BOOL, client_streaming, "clientStreaming"),
    VARINT(6, BOOL, server_streaming, "serverStreaming"),
};
const SchemaMessage PbMethodDescriptorProto_type =
    TABLE("google.protobuf.MethodDescriptorProto", method_descriptor, .dense = 6);
#undef T

#define T PbServiceDescriptorProto
static const SchemaField service_descriptor[] = {
    STRING(1, name, "name"),
    MESSAGES(2, method, "method", PbMethodDescriptorProto_type),
};
const SchemaMessage PbServiceDescriptorProto_type =
    TABLE("google.protobuf.ServiceDescriptorProto", service_descriptor, .dense = 2);
#undef T

#define T PbSourceCodeInfoLocation
static const SchemaField location[] = {
    FIELD(1, WIRE_BYTES, INT32, path, "path", REPEATED, .flags = SCHEMA_PACKED),
    STRING(3, leading_comments, "leadingComments"),
    STRING(4, trailing_comments, "trailingComments"),
};
const SchemaMessage PbSourceCodeInfoLocation_type =
    TABLE("google.protobuf.SourceCodeInfo.Location", location, .dense = 1);
#undef T

#define T PbSourceCodeInfo
static const SchemaField source_code_info[] = {
    MESSAGES(1, location, "location", PbSourceCodeInfoLocation_type),
};
const SchemaMessage PbSourceCodeInfo_type =
    TABLE("google.protobuf.SourceCodeInfo", source_code_info, .dense = 1);
#undef T

#define T PbFileDescriptorProto
static const SchemaField file_descriptor[] = {
    STRING(1, name, "name"),
    STRING(2, package, "package"),
    STRINGS(3, dependency, "dependency"),
    MESSAGES(4, message_type, "messageType", PbDescriptorProto_type),
    MESSAGES(5, enum_type, "enumType", PbEnumDescriptorProto_type),
    MESSAGES(6, service, "service", PbServiceDescriptorProto_type),
    MESSAGE(9, source_code_info, "sourceCodeInfo", PbSourceCodeInfo_type),
    STRING(12, syntax, "syntax"),
};
const SchemaMessage PbFileDescriptorProto_type =
    TABLE("google.protobuf.FileDescriptorProto", file_descriptor, .dense = 6);
#undef T

#define T PbFileDescriptorSet
static const SchemaField file_descriptor_set[] = {
    MESSAGES(1, file, "file", PbFileDescriptorProto_type),
};
const SchemaMessage PbFileDescriptorSet_type =
    TABLE("google.protobuf.FileDescriptorSet", file_descriptor_set, .dense = 1);
#undef T

#define T PbCodeGeneratorRequest
static const SchemaField request[] = {
    STRINGS(1, file_to_generate, "fileToGenerate"),
    STRING(2, parameter, "parameter"),
    MESSAGES(15, proto_file, "protoFile", PbFileDescriptorProto_type),
};
const SchemaMessage PbCodeGeneratorRequest_type =
    TABLE("google.protobuf.compiler.CodeGeneratorRequest", request, .dense = 2);
#undef T

#define T PbCodeGeneratorResponseFile
static const SchemaField response_file[] = {
    STRING(1, name, "name"),
    STRING(15, content, "content"),
};
const SchemaMessage PbCodeGeneratorResponseFile_type =
    TABLE("google.protobuf.compiler.CodeGeneratorResponse.File", response_file, .dense = 1);
#undef T

#define T PbCodeGeneratorResponse
static const SchemaField response[] = {
    STRING(1, error, "error"),
    VARINT(2, UINT64, supported_features, "supportedFeatures"),
    MESSAGES(15, file, "file", PbCodeGeneratorResponseFile_type),
};
const SchemaMessage PbCodeGeneratorResponse_type =
    TABLE("google.protobuf.compiler.CodeGeneratorResponse", response, .dense = 2);
#undef T

#define T PbCustomHttpPattern
static const SchemaField custom_http_pattern[] = {
    TEXT(1, kind, "kind"),
    TEXT(2, path, "path"),
};
const SchemaMessage PbCustomHttpPattern_type =
    TABLE("google.api.CustomHttpPattern", custom_http_pattern, .dense = 2);
#undef T

#define T PbHttpRule
#define PATTERN(number, kind, member, proto, ...)                                                  \
    NAMED_FIELD(number, WIRE_BYTES, kind, member, proto, proto,                                    \
                .presence = offsetof(T, which_pattern), __VA_ARGS__)
#define PATTERN_TEXT(number, member, proto)                                                        \
    PATTERN(number, STRING, member, proto, .flags = SCHEMA_ONEOF_MEMBER | SCHEMA_UTF8)
static const SchemaField http_rule[] = {
    PATTERN_TEXT(2, get, "get"),
    PATTERN_TEXT(3, put, "put"),
    PATTERN_TEXT(4, post, "post"),
    PATTERN_TEXT(5, delete_, "delete"),
    PATTERN_TEXT(6, patch, "patch"),
    TEXT(7, body, "body"),
    PATTERN(8, MESSAGE, custom, "custom", .flags = SCHEMA_ONEOF_MEMBER,
            .message = &PbCustomHttpPattern_type),
    MESSAGES(11, additional_bindings, "additionalBindings", PbHttpRule_type),
    TEXT(12, response_body, "responseBody"),
};
static const SchemaOneof http_rule_pattern = {"pattern", offsetof(T, which_pattern)};
const SchemaMessage PbHttpRule_type =
    TABLE("google.api.HttpRule", http_rule, .oneofs = &http_rule_pattern, .oneof_count = 1);
#undef T
