/* The whole way: text to a checked Config of typed services. */
#include "../measure.h"
#include "config/config.h"
#include "config_workload.h"

static Span project;

static int read_nothing(void *owner, const char *path, Buf *out) {
    return -2; /* -ENOENT */
}

static bool no_variable(void *owner, Span name, Span *ret) {
    return false;
}

int main(void) {
    size_t size;
    char *text = project_text(&size);
    ConfigWorld world = {.read = read_nothing, .variable = no_variable};
    project = span(text, size);
    RtConfigurationFile file = {.path = SPAN("/p/muster.yaml"), .text = project};
    ConfigOptions options = {.world = &world, .files = &file, .file_count = 1};
    double least = 1e9;
    size_t memory = 0;
    for (int i = 0; i < READS; i++) {
        const Config *config = NULL;
        ConfigReport report = {0};
        size_t before = heap_bytes();
        int64_t begin = cpu_ns();
        if (config_read(&options, &config, &report) < 0 || config->services.count != SERVICES)
            return 1;
        double took = (double)(cpu_ns() - begin) / 1e6;
        least = took < least ? took : least;
        memory = heap_bytes() - before;
        config_report_done(&report);
        config_unref(config);
    }
    report("read 1,000 services", "ms", least);
    report("kept per service", "bytes", (double)memory / SERVICES);
    free(text);
    return 0;
}
