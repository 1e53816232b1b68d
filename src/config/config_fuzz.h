/* What the fuzzers of the formats share: any bytes as a configuration, and behind a NUL as any other
 * file that it names. It is refused with reasons, or every value of it can be shown. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "config/config.h"
#include "config/diff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct FuzzWorld {
    Span main, other;
} FuzzWorld;

static int fuzz_read(void *owner, const char *path, Buf *out) {
    const FuzzWorld *world = owner;
    if (strcmp(path, "/p/missing") == 0)
        return -ENOENT;
    buf_add(out, strncmp(path, "/p/in.", 6) == 0 ? world->main : world->other);
    return 0;
}

static bool fuzz_variable(void *owner, Span name, Span *ret) {
    *ret = SPAN("va$lue ${PORT}");
    return name.len > 1;
}

static bool fuzz_lookup(void *owner, Span name, Buf *out) {
    buf_add(out, name);
    return true;
}

static void see_value(void *owner, const RtConfigurationValue *value) {
    size_t *seen = owner;
    assert(value->path.len && value->value.len);
    *seen += value->value.len;
}

static void use(const Config *config) {
    size_t seen = 0;
    Buf out = {0};
    Arena arena = {0};
    const RtServiceChange *changes;
    config_values(config, (Span){0}, see_value, &seen);
    for (size_t i = 0; i < config->services.count; i++) {
        const ServiceConfig *service = &config->services.items[i];
        assert(config_service(config, service->name) == service);
        for (size_t j = 0; j < service->command.argv.count; j++)
            assert(config_fill(&service->command.argv.items[j], fuzz_lookup, NULL, &out) == 0);
        for (size_t j = 0; j < service->dependencies.count; j++)
            assert(service->dependencies.items[j].index < config->services.count);
    }
    assert(config_diff(config, config, &arena, &changes) == 0);
    assert(config_diff(NULL, config, &arena, &changes) == config->services.count);
    arena_done(&arena);
    buf_done(&out);
}

static int fuzz_config(const char *path, const uint8_t *data, size_t size) {
    /* A block of its own, so that a read beyond the end is seen. */
    char *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    const char *nul = memchr(copy, '\0', size);
    size_t len = nul ? (size_t)(nul - copy) : size;
    FuzzWorld files = {span(copy, len), span(copy + len, size - len)};
    if (nul)
        files.other = span_skip(files.other, 1);
    ConfigWorld world = {&files, fuzz_read, fuzz_variable};
    RtConfigurationFile file = {.path = span_of(path)};
    ConfigOptions options = {.world = &world, .files = &file, .file_count = 1};
    const Config *config = NULL;
    ConfigReport report = {0};
    if (config_read(&options, &config, &report) == 0)
        use(config);
    else
        assert(report.errors && report.problems.count);
    for (size_t i = 0; i < report.problems.count; i++)
        assert(report.problems.items[i].message.len);
    config_report_done(&report);
    config_unref(config);
    free(copy);
    return 0;
}
