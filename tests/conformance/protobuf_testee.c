/* The program that the official Protobuf conformance runner talks to.
 *
 *     protobuf_testee [DESCRIPTOR_SET]
 *
 * Without an argument it knows the message types that are compiled in; with one, those of that
 * file, built at run time. The runner sends ConformanceRequests and reads ConformanceResponses,
 * each after its length in four bytes, little-endian. They are read and written by hand, so that
 * the codec under test cannot hide its own faults. Protocol: conformance/conformance.proto. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/codec.h"
#include "schema/json.h"
#include "schema/pool.h"
#include "schema/wire.h"
#include "test_messages_proto3.pb.h"

/* Fields of ConformanceRequest, and values of WireFormat and TestCategory. */
enum { PROTOBUF_PAYLOAD = 1, JSON_PAYLOAD = 2, OUTPUT_FORMAT = 3, MESSAGE_TYPE = 4, CATEGORY = 5 };
enum { FORMAT_PROTOBUF = 1, FORMAT_JSON = 2 };
enum { JSON_IGNORE_UNKNOWN_PARSING_TEST = 3 };

/* Fields of ConformanceResponse. */
typedef enum Verdict {
    PARSE_ERROR = 1,
    PROTOBUF_RESULT = 3,
    JSON_RESULT = 4,
    SKIPPED = 5,
    SERIALIZE_ERROR = 6,
} Verdict;

typedef struct Request {
    uint32_t payload_kind; /* number of the field that is set; 0 = none */
    Span payload;
    uint64_t output_format;
    uint64_t category;
    Span message_type;
} Request;

typedef struct Answer {
    Verdict verdict;
    Span content; /* the message, or the reason */
} Answer;

static Request read_request(Span bytes) {
    Request request = {0};
    WireField field;
    for (WireReader reader = wire_reader(bytes); wire_next(&reader, &field);) {
        switch (field.number) {
        case OUTPUT_FORMAT:
            request.output_format = field.value;
            break;
        case MESSAGE_TYPE:
            request.message_type = field.bytes;
            break;
        case CATEGORY:
            request.category = field.value;
            break;
        default:
            if (field.type == WIRE_BYTES && field.number < OUTPUT_FORMAT) {
                request.payload_kind = field.number;
                request.payload = field.bytes;
            }
        }
    }
    return request;
}

static Answer refusal(Verdict verdict, const SchemaError *error, Arena *arena) {
    char text[512];
    size_t len = schema_error_format(error, text, sizeof text);
    return (Answer){verdict, arena_copy(arena, (Span){text, len})};
}

/* Whether JSON text has a member such as "[package.extension]", which only proto2 and editions
 * have. */
static bool names_extension(Span json) {
    Span member = SPAN("\"[protobuf_test_messages.");
    return memmem(json.ptr, json.len, member.ptr, member.len) != NULL;
}

/* What the request asks for: the message read in one format and written in another. */
static Answer answer(const Request *request, const SchemaPool *types, Arena *arena) {
    const SchemaMessage *type = schema_pool_message(types, request->message_type);
    if (!type)
        return (Answer){SKIPPED, SPAN("unknown message type")};
    bool binary = request->payload_kind == PROTOBUF_PAYLOAD;
    if (!binary && names_extension(request->payload))
        return (Answer){SKIPPED, SPAN("extensions stay unknown fields, which JSON cannot name")};
    if (!binary && request->payload_kind != JSON_PAYLOAD)
        return (Answer){SKIPPED, SPAN("only binary and JSON")};
    if (request->output_format != FORMAT_PROTOBUF && request->output_format != FORMAT_JSON)
        return (Answer){SKIPPED, SPAN("only binary and JSON")};

    SchemaError error = {0};
    SchemaJson json = {.types = types,
                       .ignore_unknown = request->category == JSON_IGNORE_UNKNOWN_PARSING_TEST};
    void *message;
    int r = binary ? schema_decode(type, request->payload, NULL, arena, &message, &error)
                   : schema_json_decode(type, request->payload, &json, arena, &message, &error);
    if (r < 0)
        return refusal(PARSE_ERROR, &error, arena);

    if (request->output_format == FORMAT_PROTOBUF) {
        Span bytes;
        if (schema_encode(type, message, 0, arena, &bytes) < 0)
            return (Answer){SERIALIZE_ERROR, SPAN("too large")};
        return (Answer){PROTOBUF_RESULT, bytes};
    }
    Buf text = {.arena = arena};
    if (schema_json_encode(type, message, &json, &text, &error) < 0)
        return refusal(SERIALIZE_ERROR, &error, arena);
    return (Answer){JSON_RESULT, buf_span(&text)};
}

/* Reads exactly `len` bytes; false at the end of the input. */
static bool read_all(int fd, char *into, size_t len) {
    while (len > 0) {
        ssize_t n = read(fd, into, len);
        if (n <= 0)
            return false;
        into += n;
        len -= (size_t)n;
    }
    return true;
}

static bool write_all(int fd, Span bytes) {
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0)
            return false;
        bytes = span(bytes.ptr + n, bytes.len - (size_t)n);
    }
    return true;
}

static bool write_answer(Answer answer, Arena *arena) {
    char head[2 * WIRE_VARINT_MAX];
    size_t len = wire_put_varint(head, (uint64_t)answer.verdict << 3 | WIRE_BYTES);
    len += wire_put_varint(head + len, answer.content.len);
    uint32_t total = (uint32_t)(len + answer.content.len);
    Buf out = {.arena = arena};
    buf_add(&out, span(&total, sizeof total));
    buf_add(&out, span(head, len));
    buf_add(&out, answer.content);
    return write_all(STDOUT_FILENO, buf_span(&out));
}

/* Answers one request; false at the end of the input. */
static bool serve(const SchemaPool *types, Arena *arena) {
    uint32_t len;
    if (!read_all(STDIN_FILENO, (char *)&len, sizeof len))
        return false;
    char *bytes = arena_alloc(arena, len);
    if (!read_all(STDIN_FILENO, bytes, len))
        return false;
    Request request = read_request(span(bytes, len));
    return write_answer(answer(&request, types, arena), arena);
}

/* Adds the file's types; ends the program when it cannot. */
static void add_descriptor_set(SchemaPool *types, const char *path, Arena *arena) {
    struct stat file;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &file) < 0) {
        fprintf(stderr, "protobuf_testee: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    char *bytes = arena_alloc(arena, (size_t)file.st_size);
    SchemaError error = {0};
    if (!read_all(fd, bytes, (size_t)file.st_size) ||
        schema_pool_add_set(types, span(bytes, (size_t)file.st_size), &error) < 0) {
        char text[512];
        schema_error_format(&error, text, sizeof text);
        fprintf(stderr, "protobuf_testee: %s: %s\n", path, text);
        exit(1);
    }
    close(fd);
}

int main(int argc, char **argv) {
    Arena arena = {0}, kept = {0};
    SchemaPool *types = schema_pool_new();
    if (argc > 1)
        add_descriptor_set(types, argv[1], &kept);
    else
        schema_pool_add(types, &test_messages_proto3_proto);
    while (serve(types, &arena))
        arena_reset(&arena);
    schema_pool_free(types);
    arena_done(&arena);
    arena_done(&kept);
}
