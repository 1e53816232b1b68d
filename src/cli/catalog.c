#include "cli/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/nearest.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "schema/codec.h"
#include "schema/descriptor.h"

/* Both versions have the same messages under different names (see rpc/reflection.c). */
typedef ReflectionServerReflectionRequest Request;
typedef ReflectionServerReflectionResponse Response;

#define SET_MAX ((size_t)256 << 20)

/* ---- files ---- */

static const PbFileDescriptorProto *read_file(Arena *arena, Span bytes) {
    void *file = NULL;
    SchemaDecode options = {.copy_input = true};
    schema_decode(&PbFileDescriptorProto_type, bytes, &options, arena, &file, NULL);
    return file;
}

static bool has_file(const Catalog *catalog, Span name) {
    for (size_t i = 0; i < catalog->names.count; i++)
        if (span_equal(catalog->names.items[i], name))
            return true;
    return false;
}

static void add_file(Catalog *catalog, Span name, Span bytes) {
    Arena *arena = &catalog->peer->arena;
    *array_push(&catalog->names) = arena_copy(arena, name);
    *array_push(&catalog->files) = arena_copy(arena, bytes);
}

static int refuse_types(const Catalog *catalog, const SchemaError *error) {
    char text[512];
    schema_error_format(error, text, sizeof text);
    return cli_fail(
        EXIT_FAILED, "the types make no sense: %s: %s",
        catalog->peer->descriptor_set ? catalog->peer->descriptor_set : catalog->peer->where, text);
}

static int read_whole(const char *path, Buf *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : 0;
    while (fd >= 0 && out->len < SET_MAX &&
           (got = read(fd, buf_reserve(out, 1 << 16), 1 << 16)) > 0)
        out->len += (size_t)got;
    int result = got < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return result;
}

static void add_service(Catalog *catalog, Span name) {
    *array_push(&catalog->services) = arena_copy(&catalog->peer->arena, name);
}

static int open_set(Catalog *catalog, const char *path) {
    Buf bytes = {.arena = &catalog->peer->arena};
    SchemaError error;
    void *set;
    int result = read_whole(path, &bytes);
    if (result < 0)
        return cli_fail(EXIT_USAGE, "cannot read: %s: %s", path, strerror(-result));
    if (schema_pool_add_set(catalog->pool, buf_span(&bytes), &error) < 0)
        return refuse_types(catalog, &error);
    if (schema_decode(&PbFileDescriptorSet_type, buf_span(&bytes), NULL, &catalog->peer->arena,
                      &set, &error) < 0)
        return refuse_types(catalog, &error);
    const PbFileDescriptorSet *files = set;
    for (uint32_t i = 0; i < files->file.count; i++) {
        Span one = {0};
        schema_encode(&PbFileDescriptorProto_type, &files->file.items[i], 0, &catalog->peer->arena,
                      &one);
        add_file(catalog, files->file.items[i].name, one);
    }
    const SchemaFile *file;
    for (size_t at = 0; (file = schema_pool_next(catalog->pool, &at));)
        for (uint16_t i = 0; i < file->service_count; i++)
            add_service(catalog, span_of(file->services[i]->full_name));
    return 0;
}

/* ---- reflection ---- */

static void on_services(void *owner, const void *message) {
    const Response *response = message;
    if (response->which_message_response !=
        ReflectionServerReflectionResponse_list_services_response_number)
        return;
    const ReflectionListServiceResponse *list = response->list_services_response;
    for (uint32_t i = 0; i < list->service.count; i++)
        add_service(owner, list->service.items[i].name);
}

static bool is_final(StatusCode code) {
    return code == STATUS_OK || code == STATUS_UNAVAILABLE || code == STATUS_CANCELLED ||
           code == STATUS_DEADLINE_EXCEEDED || code == STATUS_UNAUTHENTICATED ||
           code == STATUS_PERMISSION_DENIED;
}

/* Finds the version that the channel's protocol reaches. */
static Status find_reflection(Catalog *catalog) {
    const SchemaMethod *versions[] = {ReflectionServerReflection_service.methods,
                                      ReflectionAlphaServerReflection_service.methods};
    const Request request = {
        .which_message_request = ReflectionServerReflectionRequest_list_services_number,
        .list_services = SPAN("*"),
    };
    Status status = status_ok();
    for (size_t i = 0; i < 2; i++) {
        catalog->reflection = versions[i];
        status =
            peer_ask(catalog->peer, catalog->channel, versions[i], &request, on_services, catalog);
        if (is_final(status.code))
            break;
    }
    return status;
}

static int open_reflection(Catalog *catalog) {
    Peer *peer = catalog->peer;
    catalog->channel = peer->channel;
    Status status = find_reflection(catalog);
    if (!is_final(status.code) && peer->options.protocol != RPC_GRPC) {
        /* Reflection is a stream both ways: many servers have it over HTTP/2 alone. */
        ChannelOptions options = peer->options;
        options.protocol = RPC_GRPC;
        catalog->channel = channel_new(peer->world, &peer->address, 1, &options);
        status = find_reflection(catalog);
    }
    if (status.code == STATUS_OK)
        return 0;
    if (is_final(status.code))
        return peer_report(peer, NULL, status, catalog->pool);
    return cli_fail(EXIT_FAILED,
                    "no reflection: %s: it answers %s: give its types with --descriptor-set FILE",
                    peer->where, status_name(status.code));
}

/* What a request for a file brought. */
typedef struct Delivery {
    Catalog *catalog;
    size_t from; /* index of the first new file */
    bool found;
} Delivery;

static void on_files(void *owner, const void *message) {
    Delivery *delivery = owner;
    Catalog *catalog = delivery->catalog;
    const Response *response = message;
    if (response->which_message_response !=
        ReflectionServerReflectionResponse_file_descriptor_response_number)
        return;
    const ReflectionFileDescriptorResponse *list = response->file_descriptor_response;
    delivery->found = true;
    for (uint32_t i = 0; i < list->file_descriptor_proto.count; i++) {
        Arena arena = {0};
        Span bytes = list->file_descriptor_proto.items[i];
        const PbFileDescriptorProto *file = read_file(&arena, bytes);
        if (file && !has_file(catalog, file->name))
            add_file(catalog, file->name, bytes);
        arena_done(&arena);
    }
}

static Status ask_for(Delivery *delivery, const Request *request) {
    Catalog *catalog = delivery->catalog;
    return peer_ask(catalog->peer, catalog->channel, catalog->reflection, request, on_files,
                    delivery);
}

/* Some servers send a file alone, without what it imports. */
static Status ask_for_imports(Delivery *delivery) {
    Catalog *catalog = delivery->catalog;
    Status status = status_ok();
    Arena arena = {0};
    for (size_t i = delivery->from; i < catalog->files.count && status.code == STATUS_OK; i++) {
        const PbFileDescriptorProto *file = read_file(&arena, catalog->files.items[i]);
        for (uint32_t d = 0; file && d < file->dependency.count; d++) {
            Request request = {
                .which_message_request = ReflectionServerReflectionRequest_file_by_filename_number,
                .file_by_filename = file->dependency.items[d],
            };
            /* What is missing may be an import for options alone: the pool will tell. */
            if (!has_file(catalog, file->dependency.items[d]))
                status = ask_for(delivery, &request);
        }
    }
    arena_done(&arena);
    return status;
}

/* Fetches the file that defines the symbol. *ret_found tells whether there is one. */
static int fetch(Catalog *catalog, Span symbol, bool *ret_found) {
    *ret_found = schema_pool_file_of(catalog->pool, symbol) != NULL;
    if (*ret_found || !catalog->reflection)
        return 0;
    Delivery delivery = {.catalog = catalog, .from = catalog->files.count};
    Request request = {
        .which_message_request = ReflectionServerReflectionRequest_file_containing_symbol_number,
        .file_containing_symbol = symbol,
    };
    Status status = ask_for(&delivery, &request);
    if (status.code == STATUS_OK)
        status = ask_for_imports(&delivery);
    if (status.code != STATUS_OK && status.code != STATUS_NOT_FOUND)
        return peer_report(catalog->peer, catalog->reflection, status, catalog->pool);
    SchemaError error;
    if (schema_pool_add_files(catalog->pool, catalog->files.items + delivery.from,
                              catalog->files.count - delivery.from, &error) < 0)
        return refuse_types(catalog, &error);
    *ret_found = delivery.found && schema_pool_file_of(catalog->pool, symbol);
    return 0;
}

/* ---- names ---- */

/* Whether `name` is the full name or its last parts. */
static bool ends_with(Span full, Span name) {
    return span_equal(full, name) ||
           (name.len && name.len < full.len && full.ptr[full.len - name.len - 1] == '.' &&
            memcmp(full.ptr + full.len - name.len, name.ptr, name.len) == 0);
}

/* The one service that the name means; an empty Span when there is none or more than one. */
static Span find_service(const Catalog *catalog, Span name) {
    Span found = {0};
    for (size_t i = 0; i < catalog->services.count; i++) {
        Span service = catalog->services.items[i];
        if (span_equal(service, name))
            return service;
        if (!ends_with(service, name))
            continue;
        if (found.len)
            return (Span){0};
        found = service;
    }
    return found;
}

static Span last_part(Span name) {
    const char *dot = name.len ? memrchr(name.ptr, '.', name.len) : NULL;
    return dot ? span_skip(name, (size_t)(dot + 1 - name.ptr)) : name;
}

static int no_service(const Catalog *catalog, Span name, const char *what) {
    bool full = name.len && memchr(name.ptr, '.', name.len);
    Nearest nearest = nearest_to(name);
    for (size_t i = 0; i < catalog->services.count; i++) {
        Span service = catalog->services.items[i];
        nearest_consider(&nearest, full ? service : last_part(service));
    }
    if (nearest.best.len)
        return cli_fail(EXIT_ABSENT, "no such %s: %.*s: did you mean '%.*s'?", what,
                        SPAN_ARGS(name), SPAN_ARGS(nearest.best));
    return cli_fail(EXIT_ABSENT, "no such %s: %.*s: see muster describe %s", what, SPAN_ARGS(name),
                    catalog->peer->where);
}

static int no_method(const Catalog *catalog, const SchemaService *service, Span name) {
    Nearest nearest = nearest_to(name);
    for (uint16_t i = 0; i < service->method_count; i++)
        nearest_consider(&nearest, span_of(service->methods[i].name));
    if (nearest.best.len)
        return cli_fail(EXIT_ABSENT, "no such method: %s/%.*s: did you mean '%.*s'?",
                        service->full_name, SPAN_ARGS(name), SPAN_ARGS(nearest.best));
    return cli_fail(EXIT_ABSENT, "no such method: %s/%.*s: see muster describe %s %s",
                    service->full_name, SPAN_ARGS(name), catalog->peer->where, service->full_name);
}

static const SchemaMethod *method_named(const SchemaService *service, Span name) {
    for (uint16_t i = 0; i < service->method_count; i++)
        if (span_equal(span_of(service->methods[i].name), name))
            return &service->methods[i];
    return NULL;
}

int catalog_method(Catalog *catalog, const char *name, const SchemaMethod **ret) {
    const char *slash = strrchr(name, '/');
    if (!slash)
        slash = strrchr(name, '.');
    if (!slash || slash == name || !slash[1])
        return cli_usage(catalog->peer->command, "not a method: %s: write Service/Method", name);
    Span wanted = span(name, (size_t)(slash - name));
    Span service_name = find_service(catalog, wanted);
    bool found;
    int failed = fetch(catalog, service_name.len ? service_name : wanted, &found);
    if (failed)
        return failed;
    const SchemaService *service =
        schema_pool_service(catalog->pool, service_name.len ? service_name : wanted);
    if (!service)
        return no_service(catalog, wanted, "service");
    *ret = method_named(service, span_of(slash + 1));
    return *ret ? 0 : no_method(catalog, service, span_of(slash + 1));
}

int catalog_all(Catalog *catalog) {
    for (size_t i = 0; i < catalog->services.count; i++) {
        bool found;
        int failed = fetch(catalog, catalog->services.items[i], &found);
        if (failed)
            return failed;
    }
    return 0;
}

/* The one message or enum of the known files whose name ends so. */
static Span find_type(const Catalog *catalog, Span name) {
    Span found = {0};
    const SchemaFile *file;
    for (size_t at = 0; (file = schema_pool_next(catalog->pool, &at));) {
        for (uint32_t i = 0; i < (uint32_t)file->message_count + file->enum_count; i++) {
            Span type =
                span_of(i < file->message_count ? file->messages[i]->full_name
                                                : file->enums[i - file->message_count]->full_name);
            if (!ends_with(type, name))
                continue;
            if (found.len)
                return (Span){0};
            found = type;
        }
    }
    return found;
}

/* "Health.Check": the method's full name; empty when the service is not known. */
static Span find_method(const Catalog *catalog, Span name) {
    const char *dot = name.len ? memrchr(name.ptr, '.', name.len) : NULL;
    Span service =
        dot ? find_service(catalog, span(name.ptr, (size_t)(dot - name.ptr))) : (Span){0};
    if (!service.len)
        return service;
    Buf full = {.arena = &catalog->peer->arena};
    buf_add(&full, service);
    buf_add(&full, span_skip(name, (size_t)(dot - name.ptr)));
    return buf_span(&full);
}

int catalog_symbol(Catalog *catalog, const char *name, Span *ret) {
    char *text = arena_text(&catalog->peer->arena, span_of(name + (*name == '.')));
    for (char *c = text; *c; c++)
        if (*c == '/')
            *c = '.';
    Span wanted = span_of(text), service = find_service(catalog, wanted);
    Span method = find_method(catalog, wanted);
    *ret = service.len ? service : method.len ? method : wanted;
    bool found;
    int failed = fetch(catalog, *ret, &found);
    if (failed || found)
        return failed;
    failed = catalog_all(catalog);
    Span type = find_type(catalog, wanted);
    if (failed || type.len) {
        *ret = type;
        return failed;
    }
    if (method.len) {
        size_t end = method.len - last_part(method).len - 1;
        return no_method(catalog, schema_pool_service(catalog->pool, span(method.ptr, end)),
                         last_part(method));
    }
    return no_service(catalog, wanted, "symbol");
}

/* ---- beginning and end ---- */

int catalog_open(Catalog *catalog, Peer *peer) {
    *catalog = (Catalog){.peer = peer, .pool = schema_pool_new()};
    return peer->descriptor_set ? open_set(catalog, peer->descriptor_set)
                                : open_reflection(catalog);
}

void catalog_close(Catalog *catalog) {
    if (catalog->channel != catalog->peer->channel)
        channel_free(catalog->channel);
    schema_pool_free(catalog->pool);
    array_done(&catalog->files);
    array_done(&catalog->names);
    array_done(&catalog->services);
}
