/* muster describe: what a server offers, as the text of .proto files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/catalog.h"
#include "cli/options.h"
#include "cli/proto_text.h"
#include "schema/codec.h"
#include "schema/json.h"

static const char HELP[] =
    "Usage: muster describe [options] ADDRESS [SYMBOL]\n"
    "\n"
    "Shows the services of a gRPC or Connect server, or one of its services, methods, messages or\n"
    "enums, by its reflection or a descriptor set. Services may be named by the end of their "
    "names.\n"
    "\n" PEER_HELP "  --json                      the descriptors, as JSON\n"
    "  --help                      this text\n";

typedef struct Describing {
    Peer peer;
    Catalog catalog;
    bool json;
} Describing;

/* ---- what is there ---- */

static const GoogleProtobufFileDescriptorProto *file_at(Describing *describing, size_t index) {
    void *file = NULL;
    schema_decode(&GoogleProtobufFileDescriptorProto_type, describing->catalog.files.items[index],
                  NULL, &describing->peer.arena, &file, NULL);
    return file;
}

static bool find(Describing *describing, Span name, ProtoSymbol *ret) {
    for (size_t i = 0; i < describing->catalog.files.count; i++) {
        const GoogleProtobufFileDescriptorProto *file = file_at(describing, i);
        if (file && proto_find(file, name, ret))
            return true;
    }
    return false;
}

/* ---- as text ---- */

static void print_symbol(const ProtoSymbol *symbol, Buf *out) {
    buf_printf(out, "// %.*s", SPAN_ARGS(symbol->file->name));
    if (symbol->file->package.len)
        buf_printf(out, ", package %.*s", SPAN_ARGS(symbol->file->package));
    buf_add_literal(out, "\n\n");
    proto_print(symbol, out);
}

static void print_type(Describing *describing, Span name, Buf *out) {
    ProtoSymbol symbol;
    if (!find(describing, span_skip(name, 1), &symbol))
        return;
    buf_add_char(out, '\n');
    print_symbol(&symbol, out);
}

static void print_one(Describing *describing, const ProtoSymbol *symbol, Buf *out) {
    print_symbol(symbol, out);
    if (symbol->type != &GoogleProtobufMethodDescriptorProto_type)
        return;
    const GoogleProtobufMethodDescriptorProto *method = symbol->descriptor;
    print_type(describing, method->input_type, out);
    if (!span_equal(method->input_type, method->output_type))
        print_type(describing, method->output_type, out);
}

static void print_services(Describing *describing, Buf *out) {
    const Catalog *catalog = &describing->catalog;
    for (size_t i = 0; i < catalog->services.count; i++) {
        ProtoSymbol symbol;
        if (!find(describing, catalog->services.items[i], &symbol))
            continue;
        if (out->len)
            buf_add_char(out, '\n');
        print_symbol(&symbol, out);
    }
}

/* ---- as JSON ---- */

static int print_json(const Describing *describing, const SchemaMessage *type, const void *message,
                      Buf *out) {
    SchemaJson options = {.proto_names = true, .indent = isatty(STDOUT_FILENO) ? 2 : 0};
    SchemaError error;
    if (schema_json_encode(type, message, &options, out, &error) < 0)
        return cli_fail(EXIT_FAILED, "cannot be written as JSON: %s: %s: %s",
                        describing->peer.where, error.path, error.reason);
    buf_add_char(out, '\n');
    return 0;
}

static int print_all_json(Describing *describing, Buf *out) {
    GoogleProtobufFileDescriptorSet set = {0};
    for (size_t i = 0; i < describing->catalog.files.count; i++) {
        const GoogleProtobufFileDescriptorProto *file = file_at(describing, i);
        if (file)
            *schema_append(&set.file, &describing->peer.arena) = *file;
    }
    return print_json(describing, &GoogleProtobufFileDescriptorSet_type, &set, out);
}

/* ---- the command ---- */

static int describe(Describing *describing, const char *name, Buf *out) {
    Catalog *catalog = &describing->catalog;
    ProtoSymbol symbol;
    Span full_name;
    int failed = name ? catalog_symbol(catalog, name, &full_name) : catalog_all(catalog);
    if (failed)
        return failed;
    if (!name && describing->json)
        return print_all_json(describing, out);
    if (!name) {
        print_services(describing, out);
        return 0;
    }
    if (!find(describing, full_name, &symbol))
        return cli_fail(EXIT_ABSENT, "no such symbol: %s: see muster describe %s", name,
                        describing->peer.where);
    if (describing->json)
        return print_json(describing, symbol.type, symbol.descriptor, out);
    print_one(describing, &symbol, out);
    return 0;
}

enum { OPT_JSON = 256 };

static int take_option(void *owner, int option, char *value) {
    Describing *describing = owner;
    if (option != OPT_JSON)
        return peer_option(&describing->peer, option, value);
    describing->json = true;
    return 0;
}

static int read_options(Describing *describing, int argc, char **argv) {
    static const struct option OPTIONS[] = {
        OPTION_HELP,
        PEER_OPTIONS,
        {"json", no_argument, NULL, OPT_JSON},
        {0},
    };
    OptionSet set = {
        .command = &COMMAND_DESCRIBE,
        .options = OPTIONS,
        .short_options = PEER_SHORT,
        .take = take_option,
        .owner = describing,
        .arguments = "ADDRESS",
        .least = 1,
        .most = 2,
    };
    return options_read(&set, argc, argv);
}

static int run(int argc, char **argv) {
    Describing describing = {.peer = {.command = &COMMAND_DESCRIBE}};
    int result = read_options(&describing, argc, argv);
    if (result) {
        peer_close(&describing.peer);
        return result == OPTIONS_HELPED ? EXIT_DONE : result;
    }
    Buf out = {0};
    result = peer_open(&describing.peer, argv[optind]);
    if (!result) {
        result = catalog_open(&describing.catalog, &describing.peer);
        if (!result)
            result = describe(&describing, argc - optind == 2 ? argv[optind + 1] : NULL, &out);
        catalog_close(&describing.catalog);
    }
    if (out.len)
        fwrite(out.ptr, 1, out.len, stdout);
    buf_done(&out);
    peer_close(&describing.peer);
    return result;
}

const Command COMMAND_DESCRIBE = {
    .name = "describe",
    .summary = "show the services and types of any gRPC or Connect server",
    .help = HELP,
    .run = run,
};
