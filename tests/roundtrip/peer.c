/* Reads messages and says them again, for roundtrip.mjs to compare with what another
 * implementation makes of them.
 *
 *     roundtrip_peer                      types are those compiled in
 *     roundtrip_peer DESCRIPTOR_SET       types are those of a serialised FileDescriptorSet
 *
 * Each request on stdin and each answer on stdout is a length (4 bytes, big-endian) and so many
 * bytes. A request: flags (1 byte, RequestFlags), length of the type's name (1 byte), the name, the
 * message. An answer: 0, length of the binary form (4 bytes, big-endian), binary form, JSON; or 1
 * and why the message was refused. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "runtime_pool.h"
#include "schema/json.h"

typedef enum RequestFlags {
    REQUEST_JSON = 1,          /* the message is JSON, otherwise binary */
    REQUEST_PROTO_NAMES = 2,   /* answer in JSON with the names of the .proto file */
    REQUEST_EMIT_DEFAULTS = 4, /* and with fields that are empty */
} RequestFlags;

#define REQUEST_MAX (16U << 20)

static uint32_t read_be32(const unsigned char *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void add_be32(Buf *out, uint32_t value) {
    char bytes[] = {(char)(value >> 24), (char)(value >> 16), (char)(value >> 8), (char)value};
    buf_add(out, span(bytes, sizeof bytes));
}

/* The next request; false at the end of input. */
static bool read_request(Buf *request) {
    unsigned char head[4];
    if (fread(head, 1, sizeof head, stdin) != sizeof head)
        return false;
    uint32_t length = read_be32(head);
    buf_clear(request);
    if (length > REQUEST_MAX || fread(buf_reserve(request, length), 1, length, stdin) != length)
        return false;
    request->len = length;
    return true;
}

static void write_answer(Span answer) {
    Buf head = {0};
    add_be32(&head, (uint32_t)answer.len);
    fwrite(head.ptr, 1, head.len, stdout);
    fwrite(answer.ptr, 1, answer.len, stdout);
    fflush(stdout);
    buf_done(&head);
}

static void refuse(Buf *answer, const SchemaError *error) {
    char text[512];
    schema_error_format(error, text, sizeof text);
    buf_clear(answer);
    buf_add_char(answer, 1);
    buf_add(answer, span_of(text));
}

/* Decodes the message, and answers with both of its forms. */
static void answer_request(const SchemaMessage *type, int flags, Span input, const SchemaJson *json,
                           Arena *arena, Buf *answer) {
    SchemaError error = {0};
    void *message = NULL;
    Span binary;
    int status = flags & REQUEST_JSON
                     ? schema_json_decode(type, input, json, arena, &message, &error)
                     : schema_decode(type, input, NULL, arena, &message, &error);
    if (status == 0)
        status = schema_encode(type, message, 0, arena, &binary);
    if (status == 0) {
        buf_add_char(answer, 0);
        add_be32(answer, (uint32_t)binary.len);
        buf_add(answer, binary);
        status = schema_json_encode(type, message, json, answer, &error);
    }
    if (status != 0)
        refuse(answer, &error);
}

static void handle(const SchemaPool *pool, Span request, Arena *arena, Buf *answer) {
    SchemaError unreadable = {.reason = "no request, or no such type"};
    size_t name = request.len >= 2 ? (unsigned char)request.ptr[1] : SIZE_MAX;
    const SchemaMessage *type = NULL;
    if (name <= request.len - 2)
        type = schema_pool_message(pool, span(request.ptr + 2, name));
    if (!type) {
        refuse(answer, &unreadable);
        return;
    }
    int flags = (unsigned char)request.ptr[0];
    SchemaJson json = {.proto_names = flags & REQUEST_PROTO_NAMES,
                       .emit_defaults = flags & REQUEST_EMIT_DEFAULTS,
                       .types = pool};
    answer_request(type, flags, span_skip(request, 2 + name), &json, arena, answer);
}

static SchemaPool *load_pool(const char *path) {
    FILE *file = fopen(path, "rb");
    Buf set = {0};
    size_t got;
    while (file && (got = fread(buf_reserve(&set, 65536), 1, 65536, file)) > 0)
        set.len += got;
    if (file)
        fclose(file);
    SchemaPool *pool = schema_pool_new();
    SchemaError error = {0};
    if (schema_pool_add_set(pool, buf_span(&set), &error) != 0) {
        char text[512];
        schema_error_format(&error, text, sizeof text);
        fprintf(stderr, "roundtrip_peer: %s: %s\n", path, text);
        exit(1);
    }
    buf_done(&set);
    return pool;
}

int main(int argc, char **argv) {
    SchemaPool *pool = argc > 1 ? load_pool(argv[1]) : runtime_pool_new();
    Buf request = {0}, answer = {0};
    Arena arena = {0};
    while (read_request(&request)) {
        buf_clear(&answer);
        handle(pool, buf_span(&request), &arena, &answer);
        write_answer(buf_span(&answer));
        arena_reset(&arena);
    }
    arena_done(&arena);
    buf_done(&request);
    buf_done(&answer);
    schema_pool_free(pool);
    return 0;
}
