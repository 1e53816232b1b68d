/* Any bytes as a server's answer to our client: the first byte cuts them into pieces, an odd
 * second one means HTTP/2. */
#include "net/http_fuzz_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    Kit kit;
    Raw raw = {0};
    Stream *pair[2];
    Ask asks[3] = {0};
    fuzz_world(&kit, data[0]);
    stream_pair(kit.world, pair);
    raw.stream = pair[0];
    stream_handle(pair[0], &RAW, &raw);
    stream_read_start(pair[0]);
    HttpClientOptions options = {.version = data[1] % 2 ? HTTP_TWO : HTTP_ONE,
                                 .limits = kit.limits};
    HttpClient *client = http_client_on(kit.world, pair[1], &options);
    for (size_t i = 0; i < 3; i++) {
        if (!http_client_room(client))
            break;
        ask_start(&asks[i], client, i % 2 ? "GET" : "POST", "/", i % 2);
        asks[i].hold = i == 2;
        http_write(asks[i].exchange, SPAN("body"));
    }
    kit_run(&kit, NANOS_PER_MILLI);
    raw_send(&raw, span(data + 2, size - 2));
    kit_run(&kit, 2 * NANOS_PER_SECOND);
    raw_done(&raw);
    kit_run(&kit, 5 * NANOS_PER_SECOND);
    http_client_close(client, true);
    kit_run(&kit, 5 * NANOS_PER_SECOND);
    for (size_t i = 0; i < 3; i++) {
        assert(asks[i].closed <= 1 && !asks[i].exchange);
        ask_done(&asks[i]);
    }
    kit_done(&kit);
    return 0;
}
