#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "config/reader.h"
#include "schema/codec.h"

/* A Config with what keeps it: it lies in its own arena. */
typedef struct ConfigBox {
    atomic_size_t refs;
    Arena arena;
    Map by_name;
    Config config;
} ConfigBox;

/* ---- the snapshot ---- */

static ConfigBox *box_of(const Config *config) {
    return CONTAINER((Config *)config, ConfigBox, config);
}

static Span service_name(const void *item) {
    return ((const ServiceConfig *)item)->name;
}

Config *config_ref(const Config *config) {
    atomic_fetch_add_explicit(&box_of(config)->refs, 1, memory_order_relaxed);
    return (Config *)config;
}

static void box_free(ConfigBox *box) {
    map_done(&box->by_name);
    arena_done(&box->arena);
    free(box);
}

void config_unref(const Config *config) {
    if (config && atomic_fetch_sub_explicit(&box_of(config)->refs, 1, memory_order_acq_rel) == 1)
        box_free(box_of(config));
}

void config_enforce(ConfigInForce *place, const Config *config) {
    const Config *before = place->config;
    place->config = config ? config_ref(config) : NULL;
    config_unref(before);
}

const ServiceConfig *config_service(const Config *config, Span name) {
    return map_get(&box_of(config)->by_name, name);
}

Span config_nearest(const Config *config, Span name) {
    Nearest nearest = nearest_to(name);
    for (size_t i = 0; i < config->services.count; i++)
        nearest_consider(&nearest, config->services.items[i].name);
    return nearest.best;
}

int config_fill(const ConfigText *text, ConfigLookup *lookup, void *owner, Buf *out) {
    Span rest = text->text;
    if (!text->open) {
        buf_add(out, rest);
        return 0;
    }
    while (rest.len) {
        const char *dollar = memchr(rest.ptr, '$', rest.len);
        size_t plain = dollar ? (size_t)(dollar - rest.ptr) : rest.len;
        buf_add(out, span(rest.ptr, plain));
        rest = span_skip(rest, plain);
        if (!rest.len)
            break;
        if (rest.len > 1 && rest.ptr[1] == '$') {
            buf_add_char(out, '$');
            rest = span_skip(rest, 2);
            continue;
        }
        const char *end = memchr(rest.ptr, '}', rest.len);
        Span name = span(rest.ptr + 2, (size_t)(end - rest.ptr) - 2);
        if (!lookup(owner, name, out))
            return -ENOENT;
        rest = span_skip(rest, name.len + 3);
    }
    return 0;
}

/* ---- the world ---- */

static int read_real(void *owner, const char *path, Buf *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t got = 0;
    /* A byte more than a document may have, so that one that is too long is seen as such. */
    while (out->len <= DOC_SIZE_MAX && (got = read(fd, buf_reserve(out, 65536), 65536)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        out->len += (size_t)got;
    }
    int result = got < 0 ? -errno : 0;
    close(fd);
    return result;
}

static bool real_variable(void *owner, Span name, Span *ret) {
    Buf text = {0};
    buf_add(&text, name);
    const char *value = getenv(buf_cstr(&text));
    buf_done(&text);
    if (value)
        *ret = span_of(value);
    return value != NULL;
}

const ConfigWorld CONFIG_WORLD = {.read = read_real, .variable = real_variable};

int config_find(const ConfigWorld *world, Span folder, Buf *ret_path) {
    static const char *const NAMES[] = {"muster.yaml", "muster.yml", "services.toml",
                                        "configs/services.toml", "config.yaml"};
    Buf path = {0}, text = {0};
    int result = -ENOENT;
    if (!world)
        world = &CONFIG_WORLD;
    for (;;) {
        for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES && result < 0; i++) {
            buf_clear(&path);
            buf_clear(&text);
            buf_add(&path, folder);
            buf_printf(&path, "%s%s", folder.len > 1 ? "/" : "", NAMES[i]);
            if (world->read(world->owner, buf_cstr(&path), &text) == 0)
                result = 0;
        }
        if (!result || folder.len <= 1)
            break;
        while (folder.len && folder.ptr[folder.len - 1] != '/')
            folder.len--;
        if (folder.len > 1)
            folder.len--;
    }
    if (!result)
        buf_add(ret_path, buf_span(&path));
    buf_done(&path);
    buf_done(&text);
    return result;
}

/* ---- reading ---- */

static void read_project(Reader *reader) {
    Config *config = reader->config;
    const ConfigOptions *options = reader->options;
    Span folder = config->folder;
    const char *slash = memrchr(folder.ptr, '/', folder.len);
    reader->service = SIZE_MAX;
    config->port_range.first = 20000;
    config->port_range.last = 29999;
    reader_defaults(reader, &PROJECT_RULES, config);
    config->data = reader_absolute(reader, folder, SPAN(".muster"));
    read_project_environment(reader);
    reader_fields(reader, &PROJECT_RULES, reader->root, (DocPlace){0}, config);
    if (!config->project.len)
        config->project = slash && folder.len > 1
                              ? span_skip(folder, (size_t)(slash - folder.ptr) + 1)
                              : SPAN("project");
    if (options->data.len)
        config->data = arena_copy(reader->arena, options->data);
    if (options->listen.count) {
        ARRAY(Span) listen = {0};
        for (size_t i = 0; i < options->listen.count; i++)
            *array_push(&listen) = arena_copy(reader->arena, options->listen.items[i]);
        FREEZE(reader, &listen, &config->listen);
        array_done(&listen);
    }
}

static int compare_numbers(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

/* By file in the order of reading, then by place. */
static int compare_problems(const void *a, const void *b, void *owner) {
    const RtConfigurationProblem *x = a, *y = b;
    const Reader *reader = owner;
    size_t i = 0, j = 0;
    while (i < reader->files.count && !span_equal(reader->files.items[i].path, x->file))
        i++;
    while (j < reader->files.count && !span_equal(reader->files.items[j].path, y->file))
        j++;
    int order = compare_numbers((int64_t)i, (int64_t)j);
    if (!order)
        order = compare_numbers(x->line, y->line);
    if (!order)
        order = compare_numbers(x->column, y->column);
    if (!order)
        order = compare_numbers(x->severity, y->severity);
    return order ? order : span_compare(x->message, y->message);
}

/* What is inherited shows its mistakes once, not once for each who inherits it. */
static void sort_problems(Reader *reader) {
    RtConfigurationProblem *items = reader->problems.items;
    size_t kept = 0;
    if (!reader->problems.count)
        return;
    qsort_r(items, reader->problems.count, sizeof *items, compare_problems, reader);
    reader->errors = 0;
    for (size_t i = 0; i < reader->problems.count; i++) {
        if (kept && !compare_problems(&items[kept - 1], &items[i], reader))
            continue;
        reader->errors += items[i].severity == RT_PROBLEM_SEVERITY_ERROR;
        items[kept++] = items[i];
    }
    reader->problems.count = kept;
}

static void hash_services(ServiceConfig *services, size_t count) {
    Buf all = {0}, run = {0};
    for (size_t i = 0; i < count; i++) {
        buf_clear(&all);
        buf_clear(&run);
        rules_digest(&SERVICE_RULES, &services[i], &all, &run);
        services[i].hash = hash_bytes(buf_span(&all), 0);
        services[i].run_hash = hash_bytes(buf_span(&run), 0);
    }
    buf_done(&all);
    buf_done(&run);
}

/* Everything goes over to the Config; the report gets its own copy of what was odd. */
static const Config *complete(ConfigBox *box, Reader *reader, ConfigReport *report) {
    Config *config = &box->config;
    ServiceConfig *services = (ServiceConfig *)config->services.items;
    config->source = reader->root;
    hash_services(services, config->services.count);
    map_init(&box->by_name, service_name, 0);
    map_reserve(&box->by_name, config->services.count);
    for (size_t i = 0; i < config->services.count; i++)
        map_put(&box->by_name, &services[i]);
    FREEZE(reader, &reader->files, &config->files);
    FREEZE(reader, &reader->secrets, &config->secrets);
    FREEZE(reader, &reader->problems, &config->problems);
    RtConfigurationProblem *copies =
        arena_alloc(&report->arena, config->problems.count * sizeof *copies);
    for (size_t i = 0; i < config->problems.count; i++)
        copies[i] = *(RtConfigurationProblem *)schema_copy(
            &RtConfigurationProblem_type, &config->problems.items[i], &report->arena);
    report->problems.items = copies;
    report->problems.count = config->problems.count;
    return config;
}

static void refuse(ConfigBox *box, Reader *reader, ConfigReport *report) {
    FREEZE(reader, &reader->problems, &report->problems);
    FREEZE(reader, &reader->files, &report->files);
    report->errors = reader->errors;
    report->arena = box->arena; /* with all that the problems point to */
    box->arena = (Arena){0};
    box_free(box);
}

static void reader_done(Reader *reader) {
    array_done(&reader->problems);
    array_done(&reader->files);
    array_done(&reader->open_files);
    array_done(&reader->raw);
    array_done(&reader->variables);
    array_done(&reader->project_env);
    array_done(&reader->secrets);
    array_done(&reader->ports);
    array_done(&reader->open_names);
    map_done(&reader->raw_by_name);
    map_done(&reader->variables_by_name);
    map_done(&reader->secrets_seen);
    buf_done(&reader->path);
}

int config_read(const ConfigOptions *options, const Config **ret_config, ConfigReport *report) {
    ConfigBox *box = xcalloc(1, sizeof *box);
    Reader reader = {
        .options = options,
        .world = options->world ? options->world : &CONFIG_WORLD,
        .arena = &box->arena,
        .config = &box->config,
        .service = SIZE_MAX,
    };
    atomic_init(&box->refs, 1);
    box->config.number = options->number;
    read_files(&reader);
    read_project(&reader);
    read_services(&reader);
    sort_problems(&reader);
    bool good = reader.errors == 0;
    if (good)
        *ret_config = complete(box, &reader, report);
    else
        refuse(box, &reader, report);
    reader_done(&reader);
    return good ? 0 : -EINVAL;
}

void config_report_done(ConfigReport *report) {
    arena_done(&report->arena);
    *report = (ConfigReport){0};
}
