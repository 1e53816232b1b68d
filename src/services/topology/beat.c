#include "services/topology/beat.h"

#include "schema/wire.h"

bool beat_read_plain(Span bytes, RtHeartbeatRequest *ret) {
    WireReader reader = wire_reader(bytes);
    WireField field;
    RtHeartbeatRequest beat = {0};
    while (wire_next(&reader, &field)) {
        if (field.number == RtHeartbeatRequest_service_id_number && field.type == WIRE_BYTES &&
            !beat.service_id.len) {
            beat.service_id = field.bytes;
        } else if (field.number == RtHeartbeatRequest_sequence_number &&
                   field.type == WIRE_VARINT) {
            beat.sequence = (int64_t)field.value;
        } else if (field.number == RtHeartbeatRequest_round_trip_us_number &&
                   field.type == WIRE_VARINT) {
            beat.round_trip_us = (int64_t)field.value;
            beat.has_round_trip_us = true;
        } else {
            return false;
        }
    }
    if (reader.failed != WIRE_FINE)
        return false;
    *ret = beat;
    return true;
}
