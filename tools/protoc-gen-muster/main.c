/* protoc-gen-muster: the schema compiler, a plugin of protoc. It turns .proto files into C structs
 * and the constant tables of schema/schema.h:
 *
 *     protoc --plugin=protoc-gen-muster=PATH --muster_out=DIR
 *            --muster_opt=prefix=runtime.v1:Rt,prefix=google.protobuf:Pb  FILE.proto
 *
 * For a/b.proto it writes a/b.pb.h and a/b.pb.c. The tables are those that schema/pool.h builds
 * from the same descriptors at run time, printed. How plugins talk to protoc:
 * google/protobuf/compiler/plugin.proto. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "generate.h"
#include "schema/codec.h"
#include "schema/pool.h"
#include "schema/wire.h"

#define REQUEST_FILE 15 /* CodeGeneratorRequest.proto_file */

typedef struct Plugin {
    Arena arena;
    Names names;
    SchemaPool *pool;
    const PbCodeGeneratorRequest *request;
    PbCodeGeneratorResponse response;
} Plugin;

static int read_all(int fd, Buf *out) {
    for (;;) {
        char *room = buf_reserve(out, 1 << 16);
        ssize_t got = read(fd, room, 1 << 16);
        if (got == 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return -errno;
        out->len += got > 0 ? (size_t)got : 0;
    }
}

static int write_all(int fd, Span bytes) {
    while (bytes.len) {
        ssize_t wrote = write(fd, bytes.ptr, bytes.len);
        if (wrote < 0 && errno != EINTR)
            return -errno;
        bytes = span_skip(bytes, wrote > 0 ? (size_t)wrote : 0);
    }
    return 0;
}

/* What is wrong with the .proto files goes back to protoc, which prints it. */
static void refuse(Plugin *plugin, const char *text) {
    plugin->response.has_error = true;
    plugin->response.error = arena_copy(&plugin->arena, span_of(text));
}

/* The files as bytes, since the tables keep them. */
static int fill_pool(Plugin *plugin, Span request, SchemaError *error) {
    ARRAY(Span) files = {0};
    WireField field;
    for (WireReader r = wire_reader(request); wire_next(&r, &field);)
        if (field.number == REQUEST_FILE)
            *array_push(&files) = field.bytes;
    int r = schema_pool_add_files(plugin->pool, files.items, files.count, error);
    array_done(&files);
    return r;
}

static void add_output(Plugin *plugin, const char *name, Buf *content) {
    PbCodeGeneratorResponseFile *file = schema_append(&plugin->response.file, &plugin->arena);
    file->has_name = file->has_content = true;
    file->name = span_of(name);
    file->content = buf_span(content);
}

static void compile_file(Plugin *plugin, const PbFileDescriptorProto *proto) {
    const SchemaFile *file = schema_pool_file(plugin->pool, proto->name);
    const char *clash = generate_check(file, &plugin->names);
    if (clash) {
        refuse(plugin, clash);
        return;
    }
    Buf header = {.arena = &plugin->arena}, source = {.arena = &plugin->arena};
    Comments comments;
    comments_init(&comments, proto, &plugin->arena);
    generate_header(file, &plugin->names, &comments, &header);
    comments_done(&comments);
    generate_source(file, &plugin->names, &source);
    add_output(plugin, name_of_output(&plugin->names, file->name, ".pb.h"), &header);
    add_output(plugin, name_of_output(&plugin->names, file->name, ".pb.c"), &source);
}

static const PbFileDescriptorProto *find_proto(const PbCodeGeneratorRequest *request, Span name) {
    for (size_t i = 0; i < request->proto_file.count; i++)
        if (span_equal(request->proto_file.items[i].name, name))
            return &request->proto_file.items[i];
    return NULL;
}

static void compile(Plugin *plugin, Span input) {
    SchemaError error;
    if (!names_configure(&plugin->names, plugin->request->parameter)) {
        refuse(plugin, "unknown parameter; known is prefix=PACKAGE:PREFIX, or FILE:PREFIX");
        return;
    }
    if (fill_pool(plugin, input, &error) < 0) {
        char text[512];
        schema_error_format(&error, text, sizeof text);
        refuse(plugin, text);
        return;
    }
    for (size_t i = 0; i < plugin->request->file_to_generate.count; i++) {
        Span name = plugin->request->file_to_generate.items[i];
        const PbFileDescriptorProto *proto = find_proto(plugin->request, name);
        if (proto)
            compile_file(plugin, proto);
        else
            refuse(plugin, "a file to generate is missing from the request");
    }
}

int main(void) {
    Plugin plugin = {.pool = schema_pool_new()};
    plugin.names.arena = &plugin.arena;
    Buf input = {0};
    SchemaError error;
    Span output;
    char text[512] = "cannot read the request";
    void *request;
    int r = read_all(STDIN_FILENO, &input);
    if (r >= 0) {
        r = schema_decode(&PbCodeGeneratorRequest_type, buf_span(&input), NULL, &plugin.arena,
                          &request, &error);
        if (r < 0)
            schema_error_format(&error, text, sizeof text);
    }
    if (r >= 0) {
        plugin.request = request;
        plugin.response.has_supported_features = true;
        plugin.response.supported_features = PB_FEATURE_PROTO3_OPTIONAL;
        compile(&plugin, buf_span(&input));
        r = schema_encode(&PbCodeGeneratorResponse_type, &plugin.response, 0, &plugin.arena,
                          &output);
        if (r >= 0)
            r = write_all(STDOUT_FILENO, output);
        snprintf(text, sizeof text, "cannot write the answer");
    }
    if (r < 0)
        fprintf(stderr, "protoc-gen-muster: %s: %s\n", text, strerror(-r));
    array_done(&plugin.names.prefixes);
    schema_pool_free(plugin.pool);
    arena_done(&plugin.arena);
    buf_done(&input);
    return r < 0;
}
