/* protobuf-c: messages on the heap, as its documentation has it; it knows no JSON. */
#include <protobuf-c/protobuf-c.h>

#include "codec_workload.h"
#include "messages.pb-c.h"

typedef struct Codec {
    const ProtobufCMessageDescriptor *type;
    const Section *section;
    ProtobufCMessage **messages;
    uint8_t *out;
    size_t room;
} Codec;

static ProtobufCMessage *unpack(const Codec *codec, uint32_t i) {
    ProtobufCMessage *message = protobuf_c_message_unpack(codec->type, NULL, codec->section->len[i],
                                                          (const uint8_t *)codec->section->ptr[i]);
    if (!message)
        abort();
    return message;
}

static size_t decode(void *state, uint32_t i) {
    Codec *codec = state;
    protobuf_c_message_free_unpacked(unpack(codec, i), NULL);
    return codec->section->len[i];
}

static size_t encode(void *state, uint32_t i) {
    Codec *codec = state;
    size_t size = protobuf_c_message_get_packed_size(codec->messages[i]);
    if (size > codec->room)
        codec->out = realloc(codec->out, codec->room = size);
    return protobuf_c_message_pack(codec->messages[i], codec->out);
}

static void run(const Section *section, const ProtobufCMessageDescriptor *type) {
    Codec codec = {type, section, calloc(section->count, sizeof(void *)), NULL, 0};
    for (uint32_t i = 0; i < section->count; i++)
        codec.messages[i] = unpack(&codec, i);
    measure(section, "decode", decode, &codec);
    measure(section, "decode, strings copied", decode, &codec);
    measure(section, "encode", encode, &codec);
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    Section sections[SECTIONS];
    read_sections(argv[1], sections);
    run(&sections[HEARTBEAT], &runtime__v1__heartbeat_request__descriptor);
    run(&sections[LOG_ENTRY], &runtime__v1__log_entry__descriptor);
    run(&sections[SNAPSHOT], &runtime__v1__topology_snapshot__descriptor);
}
