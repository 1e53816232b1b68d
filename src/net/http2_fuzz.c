/* Any bytes after an HTTP/2 client's preface. */
#include "net/http_fuzz_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    if (size)
        fuzz_server(data[0], span(preface, sizeof preface - 1), span(data + 1, size - 1));
    return 0;
}
