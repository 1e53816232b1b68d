/* Descriptors as the text of a .proto file: what muster describe prints. Comments are there when
 * the descriptor brings its source positions; options that protobuf does not define are left
 * out, but for google.api.http. */
#pragma once

#include "base/buf.h"
#include "google/protobuf/descriptor.pb.h"

#define PROTO_DEPTH_MAX 64

/* A definition and where it stands. */
typedef struct ProtoSymbol {
    const GoogleProtobufFileDescriptorProto *file;
    const SchemaMessage *type; /* which kind of descriptor: message, enum, service or method */
    const void *descriptor;
    int32_t path[PROTO_DEPTH_MAX]; /* as in SourceCodeInfo.Location */
    uint32_t depth;
} ProtoSymbol;

/* Finds a message, enum, service or method by full name; a field or enum value finds what it
 * belongs to. */
bool proto_find(const GoogleProtobufFileDescriptorProto *file, Span name, ProtoSymbol *ret);

/* Appends its text. Names of types in the file's package are written without it. */
void proto_print(const ProtoSymbol *symbol, Buf *out);
