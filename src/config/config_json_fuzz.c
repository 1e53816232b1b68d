#include "config/config_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return fuzz_config("/p/in.json", data, size);
}
