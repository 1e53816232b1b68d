/* The descriptors that describe .proto files, as messages of ours: what we read of
 * google/protobuf/descriptor.proto, google/protobuf/compiler/plugin.proto and
 * google/api/http.proto.
 *
 * Structs and tables are written by hand because the schema compiler, which would write them,
 * reads its own input with them. They have the names it would give them with the prefix Pb and
 * hold only the fields that we read; all others stay in `unknown`, so encoding a descriptor again
 * loses nothing. descriptor_test.c holds every field here against the table that the finished
 * compiler makes from the true descriptor.proto. */
#pragma once

#include "schema/schema.h"

typedef enum PbLabel {
    PB_LABEL_OPTIONAL = 1,
    PB_LABEL_REQUIRED = 2,
    PB_LABEL_REPEATED = 3,
} PbLabel;

typedef struct PbFieldOptions {
    SchemaUnknown *unknown;
    bool has_packed, packed;
    bool has_deprecated, deprecated;
} PbFieldOptions;

typedef struct PbFieldDescriptorProto {
    SchemaUnknown *unknown;
    bool has_name, has_number, has_label, has_type, has_type_name, has_default_value,
        has_oneof_index, has_json_name, has_proto3_optional;
    bool proto3_optional; /* its oneof is synthetic */
    int32_t number;
    int32_t label;       /* PbLabel */
    int32_t type;        /* SchemaType */
    int32_t oneof_index; /* into the message's oneof_decl */
    Span name;
    Span type_name;     /* ".package.Type"; without the leading dot it is looked up by scope */
    Span default_value; /* proto2: as text; bytes C-escaped */
    Span json_name;
    PbFieldOptions *options;
} PbFieldDescriptorProto;

typedef struct PbOneofDescriptorProto {
    SchemaUnknown *unknown;
    bool has_name;
    Span name;
} PbOneofDescriptorProto;

typedef struct PbEnumValueDescriptorProto {
    SchemaUnknown *unknown;
    bool has_name, has_number;
    int32_t number;
    Span name;
} PbEnumValueDescriptorProto;

typedef struct PbEnumDescriptorProto {
    SchemaUnknown *unknown;
    bool has_name;
    Span name;
    SCHEMA_REPEATED(PbEnumValueDescriptorProto) value;
} PbEnumDescriptorProto;

typedef struct PbMessageOptions {
    SchemaUnknown *unknown;
    bool has_map_entry, map_entry;
} PbMessageOptions;

typedef struct PbDescriptorProto PbDescriptorProto;
struct PbDescriptorProto {
    SchemaUnknown *unknown;
    bool has_name;
    Span name;
    SCHEMA_REPEATED(PbFieldDescriptorProto) field;
    SCHEMA_REPEATED(PbDescriptorProto) nested_type;
    SCHEMA_REPEATED(PbEnumDescriptorProto) enum_type;
    SCHEMA_REPEATED(PbOneofDescriptorProto) oneof_decl;
    PbMessageOptions *options;
};

typedef struct PbMethodOptions {
    SchemaUnknown *unknown; /* google.api.http and our own options are extensions, thus in here */
    bool has_deprecated, deprecated;
    bool has_idempotency_level;
    int32_t idempotency_level; /* SchemaIdempotency */
} PbMethodOptions;

typedef struct PbMethodDescriptorProto {
    SchemaUnknown *unknown;
    bool has_name, has_input_type, has_output_type;
    bool has_client_streaming, client_streaming;
    bool has_server_streaming, server_streaming;
    Span name;
    Span input_type, output_type; /* as PbFieldDescriptorProto.type_name */
    PbMethodOptions *options;
} PbMethodDescriptorProto;

typedef struct PbServiceDescriptorProto {
    SchemaUnknown *unknown;
    bool has_name;
    Span name;
    SCHEMA_REPEATED(PbMethodDescriptorProto) method;
} PbServiceDescriptorProto;

/* The comments at one declaration; `path` leads to it by field numbers and indices from the
 * FileDescriptorProto: {4, 2, 2, 0} is the first field (2) of the third message (4). */
typedef struct PbSourceCodeInfoLocation {
    SchemaUnknown *unknown;
    bool has_leading_comments, has_trailing_comments;
    SCHEMA_REPEATED(int32_t) path;
    Span leading_comments;
    Span trailing_comments;
} PbSourceCodeInfoLocation;

typedef struct PbSourceCodeInfo {
    SchemaUnknown *unknown;
    SCHEMA_REPEATED(PbSourceCodeInfoLocation) location;
} PbSourceCodeInfo;

typedef struct PbFileDescriptorProto {
    SchemaUnknown *unknown;
    bool has_name, has_package, has_syntax;
    Span name;
    Span package;
    Span syntax; /* "" means "proto2" */
    SCHEMA_REPEATED(Span) dependency;
    SCHEMA_REPEATED(PbDescriptorProto) message_type;
    SCHEMA_REPEATED(PbEnumDescriptorProto) enum_type;
    SCHEMA_REPEATED(PbServiceDescriptorProto) service;
    PbSourceCodeInfo *source_code_info;
} PbFileDescriptorProto;

typedef struct PbFileDescriptorSet {
    SchemaUnknown *unknown;
    SCHEMA_REPEATED(PbFileDescriptorProto) file;
} PbFileDescriptorSet;

/* google.protobuf.compiler: what protoc gives a plugin on stdin … */
typedef struct PbCodeGeneratorRequest {
    SchemaUnknown *unknown;
    bool has_parameter;
    SCHEMA_REPEATED(Span) file_to_generate;
    Span parameter;
    SCHEMA_REPEATED(PbFileDescriptorProto) proto_file; /* with all imports, these first */
} PbCodeGeneratorRequest;

typedef struct PbCodeGeneratorResponseFile {
    SchemaUnknown *unknown;
    bool has_name, has_content;
    Span name;
    Span content;
} PbCodeGeneratorResponseFile;

#define PB_FEATURE_PROTO3_OPTIONAL 1

/* … and takes back from its stdout. */
typedef struct PbCodeGeneratorResponse {
    SchemaUnknown *unknown;
    bool has_error, has_supported_features;
    Span error;
    uint64_t supported_features;
    SCHEMA_REPEATED(PbCodeGeneratorResponseFile) file;
} PbCodeGeneratorResponse;

/* google.api */
typedef struct PbCustomHttpPattern {
    SchemaUnknown *unknown;
    Span kind;
    Span path;
} PbCustomHttpPattern;

typedef struct PbHttpRule PbHttpRule;
struct PbHttpRule {
    SchemaUnknown *unknown;
    int32_t which_pattern; /* the number of one of these */
    union {
        Span get, put, post, delete_, patch;
        PbCustomHttpPattern *custom;
    };
    Span body;
    Span response_body;
    SCHEMA_REPEATED(PbHttpRule) additional_bindings;
};

extern const SchemaMessage PbFileDescriptorSet_type, PbFileDescriptorProto_type,
    PbDescriptorProto_type, PbMessageOptions_type, PbFieldDescriptorProto_type, PbFieldOptions_type,
    PbOneofDescriptorProto_type, PbEnumDescriptorProto_type, PbEnumValueDescriptorProto_type,
    PbServiceDescriptorProto_type, PbMethodDescriptorProto_type, PbMethodOptions_type,
    PbSourceCodeInfo_type, PbSourceCodeInfoLocation_type, PbCodeGeneratorRequest_type,
    PbCodeGeneratorResponse_type, PbCodeGeneratorResponseFile_type, PbHttpRule_type,
    PbCustomHttpPattern_type;
