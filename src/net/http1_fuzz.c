/* Any bytes as HTTP/1 requests. */
#include "net/http_fuzz_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size)
        fuzz_server(data[0], (Span){0}, span(data + 1, size - 1));
    return 0;
}
