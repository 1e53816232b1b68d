/* libfyaml's own tree of the same text: nothing is checked, put in, or made of it. */
#include <libfyaml.h>

#include "../measure.h"
#include "config_workload.h"

int main(void) {
    size_t size;
    char *text = project_text(&size);
    struct fy_parse_cfg options = {.flags = FYPCF_QUIET};
    double least = 1e9;
    size_t memory = 0;
    for (int i = 0; i < READS; i++) {
        size_t before = heap_bytes();
        int64_t begin = cpu_ns();
        struct fy_document *document = fy_document_build_from_string(&options, text, size);
        if (!document)
            return 1;
        double took = (double)(cpu_ns() - begin) / 1e6;
        least = took < least ? took : least;
        memory = heap_bytes() - before;
        fy_document_destroy(document);
    }
    report("read 1,000 services", "ms", least);
    report("kept per service", "bytes", (double)memory / SERVICES);
    free(text);
    return 0;
}
