/* One run of the fuzz targets of src/net: bytes for one end of a connection in a simulated world,
 * cut into pieces as the first byte says. Whatever they are, everything ends, once, and nothing is
 * left. */
#pragma once

#include <assert.h>

#include "net/http_kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void fuzz_world(Kit *kit, uint8_t pieces) {
    static const HttpLimits limits = {.connections = 10,
                                      .streams = 10,
                                      .header_bytes = 4096,
                                      .header_count = 20,
                                      .window = 65535,
                                      .write_queue = 1 << 20,
                                      .glitches = 100,
                                      .handshake = NANOS_PER_SECOND,
                                      .header = NANOS_PER_SECOND,
                                      .body = NANOS_PER_SECOND,
                                      .idle = NANOS_PER_SECOND};
    SimulationOptions options = {
        .seed = pieces, .delay_min = 1000, .delay_max = 100000, .piece_max = pieces * 4u};
    *kit = (Kit){.limits = limits};
    kit->simulation = simulation_new(&options);
    kit->world = simulation_world(kit->simulation);
    kit->server = http_server_new(kit->world, &kit->limits, kit_request, kit);
}

/* A client that sends these bytes, waits, and leaves. */
static inline void fuzz_server(uint8_t pieces, Span before, Span bytes) {
    Kit kit;
    Raw raw;
    fuzz_world(&kit, pieces);
    raw_open(&raw, &kit);
    raw_send(&raw, before);
    raw_send(&raw, bytes);
    kit_run(&kit, 2 * NANOS_PER_SECOND);
    if (raw.stream)
        stream_finish(raw.stream);
    kit_run(&kit, 5 * NANOS_PER_SECOND);
    raw_done(&raw);
    http_server_drain(kit.server, NANOS_PER_SECOND, NULL, NULL);
    kit_run(&kit, 5 * NANOS_PER_SECOND);
    assert(kit.open == 0);
    assert(http_server_stats(kit.server).connections_open == 0);
    kit_done(&kit);
}
