/* src/schema: messages on an arena that is reset after each. */
#include "codec_workload.h"
#include "runtime/v1/logger.pb.h"
#include "runtime/v1/topology.pb.h"
#include "schema/codec.h"
#include "schema/json.h"

typedef struct Codec {
    const SchemaMessage *type;
    const Section *section;
    void **messages;
    Span *json;
    Arena kept; /* what the above point into */
    Arena arena;
    Buf out;
} Codec;

static void must(int r) {
    if (r < 0)
        abort();
}

static void *decoded(Codec *codec, uint32_t i, const SchemaDecode *options, Arena *arena) {
    const Section *section = codec->section;
    void *message;
    must(schema_decode(codec->type, span(section->ptr[i], section->len[i]), options, arena,
                       &message, NULL));
    return message;
}

static size_t decode(void *state, uint32_t i) {
    Codec *codec = state;
    decoded(codec, i, NULL, &codec->arena);
    arena_reset(&codec->arena);
    return codec->section->len[i];
}

static size_t decode_copied(void *state, uint32_t i) {
    Codec *codec = state;
    decoded(codec, i, &(SchemaDecode){.copy_input = true}, &codec->arena);
    arena_reset(&codec->arena);
    return codec->section->len[i];
}

static size_t encode(void *state, uint32_t i) {
    Codec *codec = state;
    Span bytes;
    must(schema_encode(codec->type, codec->messages[i], 0, &codec->arena, &bytes));
    arena_reset(&codec->arena);
    return bytes.len;
}

static size_t json_decode(void *state, uint32_t i) {
    Codec *codec = state;
    void *message;
    must(schema_json_decode(codec->type, codec->json[i], NULL, &codec->arena, &message, NULL));
    arena_reset(&codec->arena);
    return codec->json[i].len;
}

static size_t json_encode(void *state, uint32_t i) {
    Codec *codec = state;
    buf_clear(&codec->out);
    must(schema_json_encode(codec->type, codec->messages[i], NULL, &codec->out, NULL));
    return codec->out.len;
}

static void run(const Section *section, const SchemaMessage *type) {
    Codec codec = {.type = type,
                   .section = section,
                   .messages = calloc(section->count, sizeof(void *)),
                   .json = calloc(section->count, sizeof(Span))};
    for (uint32_t i = 0; i < section->count; i++) {
        Buf text = {.arena = &codec.kept};
        codec.messages[i] = decoded(&codec, i, NULL, &codec.kept);
        must(schema_json_encode(type, codec.messages[i], NULL, &text, NULL));
        codec.json[i] = buf_span(&text);
    }
    measure(section, "decode", decode, &codec);
    measure(section, "decode, strings copied", decode_copied, &codec);
    measure(section, "encode", encode, &codec);
    measure(section, "JSON decode", json_decode, &codec);
    measure(section, "JSON encode", json_encode, &codec);
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    Section sections[SECTIONS];
    read_sections(argv[1], sections);
    run(&sections[HEARTBEAT], &RtHeartbeatRequest_type);
    run(&sections[LOG_ENTRY], &RtLogEntry_type);
    run(&sections[SNAPSHOT], &RtTopologySnapshot_type);
}
