#include "doc/doc_fuzz.h"

const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses some memory of its own on some malformed texts. */
const char *__lsan_default_suppressions(void) {
    return "leak:libfyaml";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return fuzz_format(DOC_YAML, data, size);
}
