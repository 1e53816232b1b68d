/* A beat that is read the plain way is what the codec makes of it. Only ids that are not UTF-8, which the
 * codec refuses, pass: no instance has such a one. */
#include <stdlib.h>

#include "base/text.h"
#include "schema/codec.h"
#include "services/topology/beat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    RtHeartbeatRequest plain;
    Span bytes = span(data, size);
    if (!beat_read_plain(bytes, &plain) || !utf8_valid(plain.service_id))
        return 0;
    Arena arena = {0};
    void *decoded;
    if (schema_decode(&RtHeartbeatRequest_type, bytes, NULL, &arena, &decoded, NULL) < 0 ||
        !schema_equal(&RtHeartbeatRequest_type, decoded, &plain))
        abort();
    arena_done(&arena);
    return 0;
}
