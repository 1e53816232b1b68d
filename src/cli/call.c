/* muster call: one call to any gRPC or Connect server. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/catalog.h"
#include "cli/input.h"
#include "cli/options.h"
#include "rpc/metadata.h"
#include "schema/codec.h"
#include "schema/json.h"

static const char HELP[] =
    "Usage: muster call [options] ADDRESS SERVICE/METHOD [JSON | @FILE | -]…\n"
    "\n"
    "Calls a method of any gRPC or Connect server, by its reflection or a descriptor set. "
    "Requests\n"
    "are JSON: as arguments, in a file, or on stdin (-); a stream takes several, one after the\n"
    "other. Responses are printed as JSON, a line each, or over several lines in a terminal. With\n"
    "no request, a method that takes one gets the empty message.\n"
    "\n" PEER_HELP "  --emit-defaults             print empty fields too\n"
    "  --help                      this text\n"
    "\n"
    "Exit status: 0 done, 1 the call failed, 2 wrong usage, 3 no such server, service or method,\n"
    "4 timed out, 130 interrupted.\n";

typedef struct Calling {
    Peer peer;
    Catalog catalog;
    const SchemaMethod *method;
    ClientCall *call;
    Input *input;
    Arena scratch;
    SchemaJson json; /* how responses are written */
    bool full;       /* the call takes no more just now */
    uint64_t sent;
    int result; /* the exit code so far */
} Calling;

/* ---- requests ---- */

static bool takes_one(const Calling *calling) {
    return !calling->method->client_streaming;
}

/* The call cannot go on: `calling->result` says why. */
static void give_up(Calling *calling, int result) {
    calling->result = result;
    client_cancel(calling->call);
}

static void send_document(Calling *calling, Span text) {
    SchemaJson options = {.types = calling->catalog.pool};
    SchemaError error;
    void *message;
    if (takes_one(calling) && calling->sent) {
        give_up(calling, cli_usage(&COMMAND_CALL, "too many requests: %s takes one",
                                   calling->method->path + 1));
        return;
    }
    int result = schema_json_decode(calling->method->input, text, &options, &calling->scratch,
                                    &message, &error);
    if (result < 0) {
        char reason[512];
        schema_error_format(&error, reason, sizeof reason);
        give_up(calling, cli_fail(EXIT_USAGE, "not a %s: %s: see muster describe %s %s",
                                  calling->method->input->full_name, reason, calling->peer.where,
                                  calling->method->input->full_name));
        return;
    }
    calling->sent++;
    calling->full = client_send(calling->call, message) == -EAGAIN;
    arena_reset(&calling->scratch);
}

static void end_input(Calling *calling) {
    if (takes_one(calling) && !calling->sent)
        send_document(calling, SPAN("{}"));
    if (calling->call)
        client_half_close(calling->call);
    input_close(calling->input);
    calling->input = NULL;
}

/* Sends what has arrived, as fast as the call takes it. */
static void send_arrived(void *owner) {
    Calling *calling = owner;
    while (calling->input && calling->call && !calling->full && !calling->result) {
        Buf text = {0};
        InputState state = input_next(calling->input, &text);
        if (state == INPUT_DOCUMENT)
            send_document(calling, buf_span(&text));
        else if (state == INPUT_BROKEN)
            give_up(calling, cli_fail(EXIT_USAGE, "cannot read: %.*s", SPAN_ARGS(buf_span(&text))));
        else if (state == INPUT_END)
            end_input(calling);
        buf_done(&text);
        if (state == INPUT_LATER)
            return;
    }
}

/* ---- responses ---- */

static void show_metadata(const Calling *calling, const char *mark, HttpHeaders metadata) {
    Arena arena = {0};
    for (size_t i = 0; calling->peer.verbose && i < metadata.count; i++) {
        HttpHeader one = metadata.items[i];
        bool secret = span_equal(one.name, SPAN("authorization"));
        Span value = secret ? SPAN("(hidden)") : metadata_write_value(&arena, one.name, one.value);
        fprintf(stderr, "%s %.*s: %.*s\n", mark, SPAN_ARGS(one.name), SPAN_ARGS(value));
    }
    arena_done(&arena);
}

static void on_headers(void *owner, HttpHeaders metadata) {
    show_metadata(owner, "<", metadata);
}

static void on_message(void *owner, const void *message) {
    Calling *calling = owner;
    Buf out = {0};
    SchemaError error;
    if (schema_json_encode(calling->method->output, message, &calling->json, &out, &error) < 0) {
        char reason[512];
        schema_error_format(&error, reason, sizeof reason);
        give_up(calling, cli_fail(EXIT_FAILED, "the response cannot be written as JSON: %s: %s",
                                  calling->method->path + 1, reason));
    } else {
        buf_add_char(&out, '\n');
        fwrite(out.ptr, 1, out.len, stdout);
        if (fflush(stdout) == EOF)
            give_up(calling, EXIT_FAILED);
    }
    buf_done(&out);
}

static void on_writable(void *owner) {
    Calling *calling = owner;
    calling->full = false;
    send_arrived(calling);
}

static void on_closed(void *owner, Status status, HttpHeaders trailers) {
    Calling *calling = owner;
    calling->call = NULL;
    show_metadata(calling, "<", trailers);
    if (!calling->result && status.code != STATUS_OK)
        calling->result =
            peer_report(&calling->peer, calling->method, status, calling->catalog.pool);
    peer_ended(&calling->peer);
}

/* ---- the command ---- */

static int call(Calling *calling, char *const *requests, size_t count) {
    static const ClientHandler HANDLER = {
        .headers = on_headers,
        .message = on_message,
        .writable = on_writable,
        .closed = on_closed,
    };
    Peer *peer = &calling->peer;
    calling->json.types = calling->catalog.pool;
    show_metadata(calling, ">", (HttpHeaders){peer->metadata.items, peer->metadata.count});
    calling->call = peer_begin(peer, peer->channel, calling->method, &HANDLER, calling);
    calling->input = input_open(peer->world, requests, count, send_arrived, calling);
    peer_wait(peer);
    if (calling->input)
        input_close(calling->input);
    arena_done(&calling->scratch);
    return calling->result;
}

enum { OPT_DEFAULTS = 256 };

static int take_option(void *owner, int option, char *value) {
    Calling *calling = owner;
    if (option != OPT_DEFAULTS)
        return peer_option(&calling->peer, option, value);
    calling->json.emit_defaults = true;
    return 0;
}

static int read_options(Calling *calling, int argc, char **argv) {
    static const struct option OPTIONS[] = {
        OPTION_HELP,
        PEER_OPTIONS,
        {"emit-defaults", no_argument, NULL, OPT_DEFAULTS},
        {0},
    };
    OptionSet set = {
        .command = &COMMAND_CALL,
        .options = OPTIONS,
        .short_options = PEER_SHORT,
        .take = take_option,
        .owner = calling,
        .arguments = "ADDRESS and SERVICE/METHOD",
        .least = 2,
        .most = -1,
    };
    return options_read(&set, argc, argv);
}

static int run(int argc, char **argv) {
    Calling calling = {.peer = {.command = &COMMAND_CALL}, .json = {.proto_names = true}};
    int result = read_options(&calling, argc, argv);
    if (result) {
        peer_close(&calling.peer);
        return result == OPTIONS_HELPED ? EXIT_DONE : result;
    }
    calling.json.indent = isatty(STDOUT_FILENO) ? 2 : 0;
    result = peer_open(&calling.peer, argv[optind]);
    if (!result) {
        result = catalog_open(&calling.catalog, &calling.peer);
        if (!result)
            result = catalog_method(&calling.catalog, argv[optind + 1], &calling.method);
        if (!result)
            result = call(&calling, argv + optind + 2, (size_t)(argc - optind - 2));
        catalog_close(&calling.catalog);
    }
    peer_close(&calling.peer);
    return result;
}

const Command COMMAND_CALL = {
    .name = "call",
    .summary = "call a method of any gRPC or Connect server",
    .help = HELP,
    .run = run,
};
