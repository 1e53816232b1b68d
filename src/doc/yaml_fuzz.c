#include "doc/doc_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return fuzz_format(DOC_YAML, data, size);
}
