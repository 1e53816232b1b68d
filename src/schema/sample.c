#include "schema/sample.h"

#include "schema/wire.h"

/* One field of the struct T, which is defined anew before each table. */
#define FIELD(number, wire, kind, member, ...)                                                     \
    {                                                                                              \
        .tag = (uint32_t)(number) << 3 | (wire), .offset = offsetof(T, member),                    \
        .type = SCHEMA_##kind, .name = #member, .name_len = sizeof #member - 1,                    \
        .json_name = #member, .json_name_len = sizeof #member - 1, __VA_ARGS__                     \
    }
#define HAS(member) .flags = SCHEMA_HAS, .presence = offsetof(T, has_##member)
#define REPEATED    .shape = SCHEMA_REPEATED_FIELD
#define PACKED      REPEATED, .flags = SCHEMA_PACKED
#define CHOICE      .presence = offsetof(T, which_choice), .oneof = 0
#define TABLE(fields_, ...)                                                                        \
    {                                                                                              \
        .fields = fields_, .field_count = sizeof fields_ / sizeof *fields_, .size = sizeof(T),     \
        __VA_ARGS__                                                                                \
    }

static const SchemaEnumValue colour_values[] = {{0, 3, "RED"}, {1, 5, "GREEN"}, {2, 4, "BLUE"}};
static const SchemaEnum colour = {
    .values = colour_values,
    .by_name = (const uint16_t[]){2, 1, 0},
    .count = 3,
    .full_name = "test.Colour",
};

#define T Strict
static const SchemaField strict_fields[] = {
    FIELD(1, WIRE_VARINT, INT32, id, .flags = SCHEMA_HAS | SCHEMA_REQUIRED,
          .presence = offsetof(T, has_id)),
    FIELD(2, WIRE_VARINT, INT32, port, HAS(port)),
};
static const Strict strict_initial = {.port = 80};
const SchemaMessage Strict_type = TABLE(strict_fields, .dense = 2, .has_required = true,
                                        .initial = &strict_initial, .full_name = "test.Strict");
#undef T

#define T LabelsEntry
static const SchemaField labels_fields[] = {
    FIELD(1, WIRE_BYTES, STRING, key, .flags = SCHEMA_UTF8),
    FIELD(2, WIRE_BYTES, STRING, value, .flags = SCHEMA_UTF8),
};
static const SchemaMessage labels_type =
    TABLE(labels_fields, .dense = 2, .map_entry = true, .full_name = "test.Sample.LabelsEntry");
#undef T

#define T ByIdEntry
static const SchemaField by_id_fields[] = {
    FIELD(1, WIRE_VARINT, SINT32, key),
    FIELD(2, WIRE_BYTES, MESSAGE, value, .message = &Sample_type),
};
static const SchemaMessage by_id_type =
    TABLE(by_id_fields, .dense = 2, .map_entry = true, .has_required = true,
          .full_name = "test.Sample.ByIdEntry");
#undef T

#define T ColoursEntry
static const SchemaField colours_fields[] = {
    FIELD(1, WIRE_VARINT, INT32, key),
    FIELD(2, WIRE_VARINT, ENUM, value, .flags = SCHEMA_CLOSED, .enumeration = &colour),
};
static const SchemaMessage colours_type =
    TABLE(colours_fields, .dense = 2, .map_entry = true, .full_name = "test.Sample.ColoursEntry");
#undef T

#define T StrictEntry
static const SchemaField strict_entry_fields[] = {
    FIELD(1, WIRE_BYTES, STRING, key, .flags = SCHEMA_UTF8),
    FIELD(2, WIRE_BYTES, MESSAGE, value, .message = &Strict_type),
};
static const SchemaMessage strict_entry_type =
    TABLE(strict_entry_fields, .dense = 2, .map_entry = true, .has_required = true,
          .full_name = "test.Sample.StrictByNameEntry");
#undef T

#define T Sample
static const SchemaField sample_fields[] = {
    FIELD(1, WIRE_VARINT, INT32, i32),
    FIELD(2, WIRE_VARINT, INT64, i64),
    FIELD(3, WIRE_VARINT, UINT32, u32),
    FIELD(4, WIRE_VARINT, UINT64, u64),
    FIELD(5, WIRE_VARINT, SINT32, s32),
    FIELD(6, WIRE_VARINT, SINT64, s64),
    FIELD(7, WIRE_FIXED32, FIXED32, f32),
    FIELD(8, WIRE_FIXED64, FIXED64, f64),
    FIELD(9, WIRE_FIXED32, SFIXED32, sf32),
    FIELD(10, WIRE_FIXED64, SFIXED64, sf64),
    FIELD(11, WIRE_FIXED32, FLOAT, real),
    FIELD(12, WIRE_FIXED64, DOUBLE, wide),
    FIELD(13, WIRE_VARINT, BOOL, flag),
    FIELD(14, WIRE_BYTES, STRING, text, .flags = SCHEMA_UTF8),
    FIELD(15, WIRE_BYTES, BYTES, data),
    FIELD(16, WIRE_VARINT, ENUM, colour, .enumeration = &colour),
    FIELD(17, WIRE_BYTES, MESSAGE, sub, .message = &Sample_type),
    FIELD(18, WIRE_VARINT, INT32, maybe, HAS(maybe)),
    FIELD(19, WIRE_BYTES, INT32, numbers, PACKED),
    FIELD(20, WIRE_BYTES, STRING, words, REPEATED, .flags = SCHEMA_UTF8),
    FIELD(21, WIRE_BYTES, MESSAGE, subs, REPEATED, .message = &Sample_type),
    FIELD(22, WIRE_BYTES, FIXED64, stamps, PACKED),
    FIELD(23, WIRE_BYTES, MESSAGE, labels, .shape = SCHEMA_MAP, .message = &labels_type),
    FIELD(24, WIRE_BYTES, MESSAGE, by_id, .shape = SCHEMA_MAP, .message = &by_id_type),
    FIELD(25, WIRE_BYTES, STRING, name, .flags = SCHEMA_ONEOF_MEMBER | SCHEMA_UTF8, CHOICE),
    FIELD(26, WIRE_VARINT, INT32, id, .flags = SCHEMA_ONEOF_MEMBER, CHOICE),
    FIELD(27, WIRE_BYTES, MESSAGE, other, .flags = SCHEMA_ONEOF_MEMBER, CHOICE,
          .message = &Sample_type),
    FIELD(28, WIRE_START_GROUP, GROUP, group, .message = &Sample_type),
    FIELD(29, WIRE_START_GROUP, GROUP, groups, REPEATED, .message = &Sample_type),
    FIELD(30, WIRE_VARINT, ENUM, closed, .flags = SCHEMA_HAS | SCHEMA_CLOSED,
          .presence = offsetof(T, has_closed), .enumeration = &colour),
    FIELD(31, WIRE_BYTES, ENUM, closeds, REPEATED, .flags = SCHEMA_PACKED | SCHEMA_CLOSED,
          .enumeration = &colour),
    FIELD(32, WIRE_BYTES, MESSAGE, colours, .shape = SCHEMA_MAP, .message = &colours_type),
    FIELD(33, WIRE_BYTES, STRING, raw, HAS(raw)),
    FIELD(34, WIRE_BYTES, MESSAGE, strict, .message = &Strict_type),
    FIELD(35, WIRE_BYTES, MESSAGE, stricts, REPEATED, .message = &Strict_type),
    FIELD(36, WIRE_VARINT, SINT64, loose, REPEATED),
    FIELD(37, WIRE_BYTES, MESSAGE, strict_by_name, .shape = SCHEMA_MAP,
          .message = &strict_entry_type),
    FIELD(1000, WIRE_VARINT, UINT32, far),
    FIELD(536870911, WIRE_VARINT, UINT32, farthest),
};
static const SchemaOneof sample_oneofs[] = {{"choice", offsetof(Sample, which_choice)}};
const SchemaMessage Sample_type =
    TABLE(sample_fields, .dense = 37, .has_required = true, .oneofs = sample_oneofs,
          .oneof_count = 1, .full_name = "test.Sample");
