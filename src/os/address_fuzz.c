/* Any text as an address. What is taken for one is written as it was read, but for leading zeroes
 * of the port. */
#include <assert.h>

#include "os/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Address address, again;
    char text[ADDRESS_MAX];
    if (!address_parse(span(data, size), &address))
        return 0;
    size_t len = address_format(&address, text, sizeof text);
    assert(strlen(text) == len);
    assert(address_parse(span(text, len), &again));
    assert(again.kind == address.kind && again.port == address.port);
    assert(strcmp(again.host, address.host) == 0);
    address_is_loopback(&address);
    return 0;
}
