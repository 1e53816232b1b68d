// C++ protobuf: messages on an arena that is reset after each, JSON by its JSON util.
#include <google/protobuf/arena.h>
#include <google/protobuf/util/json_util.h>

#include "codec_workload.h"
#include "messages.pb.h"

namespace pb = google::protobuf;

// One kind of message and all that is done with it.
template <class Message> class Codec {
  public:
    explicit Codec(const Section &section) : section_(section), block_(1 << 20) {
        messages_.resize(section.count);
        json_.resize(section.count);
        for (uint32_t i = 0; i < section.count; i++) {
            if (!messages_[i].ParseFromArray(section.ptr[i], static_cast<int>(section.len[i])) ||
                !pb::util::MessageToJsonString(messages_[i], &json_[i]).ok())
                abort();
        }
    }

    void run() {
        measure(&section_, "decode", decode, this);
        measure(&section_, "decode, strings copied", decode, this);
        measure(&section_, "encode", encode, this);
        measure(&section_, "JSON decode", json_decode, this);
        measure(&section_, "JSON encode", json_encode, this);
    }

  private:
    pb::ArenaOptions options() {
        pb::ArenaOptions options;
        options.initial_block = block_.data();
        options.initial_block_size = block_.size();
        return options;
    }

    static size_t decode(void *state, uint32_t i) {
        auto *self = static_cast<Codec *>(state);
        auto *message = pb::Arena::CreateMessage<Message>(&self->arena_);
        if (!message->ParseFromArray(self->section_.ptr[i],
                                     static_cast<int>(self->section_.len[i])))
            abort();
        self->arena_.Reset();
        return self->section_.len[i];
    }

    static size_t encode(void *state, uint32_t i) {
        auto *self = static_cast<Codec *>(state);
        size_t size = self->messages_[i].ByteSizeLong();
        self->out_.resize(size);
        self->messages_[i].SerializeWithCachedSizesToArray(
            reinterpret_cast<uint8_t *>(self->out_.data()));
        return size;
    }

    static size_t json_decode(void *state, uint32_t i) {
        auto *self = static_cast<Codec *>(state);
        auto *message = pb::Arena::CreateMessage<Message>(&self->arena_);
        if (!pb::util::JsonStringToMessage(self->json_[i], message).ok())
            abort();
        self->arena_.Reset();
        return self->json_[i].size();
    }

    static size_t json_encode(void *state, uint32_t i) {
        auto *self = static_cast<Codec *>(state);
        self->out_.clear();
        if (!pb::util::MessageToJsonString(self->messages_[i], &self->out_).ok())
            abort();
        return self->out_.size();
    }

    Section section_;
    std::vector<Message> messages_;
    std::vector<std::string> json_;
    std::vector<char> block_;
    pb::Arena arena_{options()};
    std::string out_;
};

int main(int, char **argv) {
    Section sections[SECTIONS];
    read_sections(argv[1], sections);
    Codec<runtime::v1::HeartbeatRequest>(sections[HEARTBEAT]).run();
    Codec<runtime::v1::LogEntry>(sections[LOG_ENTRY]).run();
    Codec<runtime::v1::TopologySnapshot>(sections[SNAPSHOT]).run();
}
