/* Logs: entries taken over by StreamLogs from another process, searched, and their bytes on the
 * disk. usage: logs_muster [ENTRIES] */
#include <assert.h>
#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logs_workload.h"
#include "rpc/client.h"
#include "schema/codec.h"
#include "services/logs/logs_internal.h"

/* ---- the sender: a process of its own ---- */

typedef struct Sender {
    World *world;
    ClientCall *call;
    char *bytes; /* all entries, encoded, each behind its size */
    size_t at, size;
} Sender;

static void send_on(void *owner) {
    Sender *sender = owner;
    int r = 0;
    while (r == 0 && sender->at < sender->size) {
        uint32_t size;
        memcpy(&size, sender->bytes + sender->at, sizeof size);
        Span entry = span(sender->bytes + sender->at + sizeof size, size);
        sender->at += sizeof size + size;
        r = client_send(sender->call, &entry);
    }
    if (r == 0)
        client_half_close(sender->call);
}

static void on_ack(void *owner, const void *message) {
}

static void on_over(void *owner, Status status, HttpHeaders trailers) {
    if (status.code != STATUS_OK)
        fprintf(stderr, "StreamLogs: %s: %.*s\n", status_name(status.code),
                SPAN_ARGS(status.message));
    world_stop(((Sender *)owner)->world);
}

static const ClientHandler SENDER = {.message = on_ack, .writable = send_on, .closed = on_over};

static void encode_all(Sender *sender, size_t count) {
    Buf out = {0};
    Arena arena = {0};
    for (size_t n = 0; n < count; n++) {
        WorkEntry work;
        work_entry(n, &work);
        RtLogEntry entry = {
            .service_name = span_of(work.service),
            .level = work.level,
            .message = span_of(work.message),
            .timestamp = 1767225600000 + (int64_t)n / 100,
            .correlation_id = span_of(work.request),
        };
        Span encoded;
        schema_encode(&RtLogEntry_type, &entry, 0, &arena, &encoded);
        uint32_t size = (uint32_t)encoded.len;
        buf_add(&out, span(&size, sizeof size));
        buf_add(&out, encoded);
        arena_reset(&arena);
    }
    arena_done(&arena);
    sender->bytes = out.ptr;
    sender->size = out.len;
}

static void send_all(const char *path, size_t count, int ready, int go) {
    Sender sender = {.world = world_new()};
    encode_all(&sender, count);
    char byte = 0;
    if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
        _exit(1);
    Address address;
    assert(address_parse(span_of(path), &address));
    ChannelOptions options = {.http = HTTP_ANY};
    Channel *channel = channel_new(sender.world, &address, 1, &options);
    ClientCallOptions call = {.raw = true};
    sender.call =
        client_call(channel, &RtLoggerService_service.methods[0], &call, &SENDER, &sender);
    send_on(&sender);
    world_run(sender.world);
    _exit(0);
}

/* ---- the receiver ---- */

typedef struct Bench {
    World *world;
    Logs *logs;
    RpcServer *server;
    char folder[64];
    size_t found;
    bool over;
} Bench;

static void on_reply(LogReader *reader, LogReaderReply *reply) {
    Bench *bench = reader->owner;
    Unpack in = unpack_begin(buf_span(&reply->messages));
    while (in.at < in.end) {
        unpack_text(&in);
        bench->found++;
    }
    if (reply->last) {
        bench->over = true;
        world_stop(bench->world);
    }
    logs_reader_credit(reader, reply);
}

/* Milliseconds until all that match are there; the first time of many is the cold one. */
static double search_once(Bench *bench, const char *line, int64_t limit, bool count) {
    Filter *filter;
    FilterError error;
    assert(filter_parse(span_of(line), 0, &filter, &error) == 0);
    RtGetLogHistogramRequest request = {0};
    LogSearcher *searcher =
        count ? log_histogram_new(filter, &request, INT64_MAX / 2) : log_searcher_new(filter);
    if (!count) {
        searcher->search.at = INT64_MAX;
        searcher->search.backwards = true;
        searcher->search.left = limit;
    }
    bench->found = 0;
    bench->over = false;
    int64_t begin = now_ns();
    logs_reader_start(bench->logs, &searcher->reader, on_reply, bench);
    while (!bench->over)
        world_run(bench->world);
    double took = (double)(now_ns() - begin) / 1e6;
    logs_reader_leave(&searcher->reader);
    return took;
}

static void search(Bench *bench, const char *what, const char *line, int64_t limit, bool count) {
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        double took = search_once(bench, line, limit, count);
        best = took < best ? took : best;
    }
    report(what, "ms", best);
}

static double folder_bytes(const char *folder) {
    char path[512];
    double bytes = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct stat stat_of;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.' && stat(path, &stat_of) == 0)
            bytes += (double)stat_of.st_size;
    }
    if (dir)
        closedir(dir);
    return bytes;
}

static int64_t thread_cpu(clockid_t clock) {
    return clock_ns(clock);
}

typedef struct Watching {
    World *world;
    int pid;
    Timer timer;
} Watching;

static void look(Timer *timer) {
    Watching *watching = CONTAINER(timer, Watching, timer);
    if (waitpid(watching->pid, NULL, WNOHANG) == watching->pid) {
        watching->pid = 0;
        world_stop(watching->world);
        return;
    }
    wheel_arm(world_wheel(watching->world), timer,
              world_now(watching->world) + 5 * NANOS_PER_MILLI);
}

/* Whatever can wait (packing) is done, as it is within some seconds of peace. */
static void settle(Bench *bench) {
    Watching watching = {.world = bench->world};
    int quiet = 0;
    for (int i = 0; i < 100; i++) {
        int before = (int)folder_bytes(bench->folder);
        watching.timer.fire = look;
        watching.pid = fork();
        if (watching.pid == 0) {
            usleep(200000);
            _exit(0);
        }
        look(&watching.timer);
        world_run(bench->world);
        quiet = before == (int)folder_bytes(bench->folder) ? quiet + 1 : 0;
        if (quiet == 8)
            return;
    }
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    size_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : ENTRIES;
    char folder[] = "/tmp/muster-bench-XXXXXX", path[64], reason[256];
    int ready[2], go[2];
    if (!mkdtemp(folder) || pipe(ready) || pipe(go))
        return 1;
    snprintf(path, sizeof path, "unix:%s/s", folder);
    int pid = fork();
    if (pid == 0)
        send_all(path, count, ready[1], go[0]);

    Bench bench = {.world = world_new()};
    snprintf(bench.folder, sizeof bench.folder, "%s/segments", folder);
    RpcServerOptions server = {0};
    bench.server = rpc_server_new(bench.world, &server);
    LogsOptions options = {.folder = folder};
    Buf why = {0};
    if (logs_open(bench.world, &options, &bench.logs, &why) < 0)
        return 1;
    rpc_server_add(bench.server, logs_rpc(bench.logs), reason, sizeof reason);
    Address address;
    assert(address_parse(span_of(path), &address));
    assert(http_server_listen(rpc_server_http(bench.server), &address, NULL, NULL) == 0);

    char byte;
    if (read(ready[0], &byte, 1) != 1)
        return 1;
    Watching watching = {.world = bench.world, .pid = pid, .timer.fire = look};
    int64_t begin = now_ns(), loop = thread_cpu(CLOCK_THREAD_CPUTIME_ID), all = cpu_ns();
    if (write(go[1], &byte, 1) != 1)
        return 1;
    look(&watching.timer);
    while (watching.pid)
        world_run(bench.world);
    double took = (double)(now_ns() - begin);
    double loop_took = (double)(thread_cpu(CLOCK_THREAD_CPUTIME_ID) - loop);
    double all_took = (double)(cpu_ns() - all);
    report("ingest", "entries/s", (double)count / took * 1e9);
    report("loop, of the time", "%", 100 * loop_took / took);
    report("loop, an entry", "ns", loop_took / (double)count);
    report("actor, an entry", "ns", (all_took - loop_took) / (double)count);
    settle(&bench);
    report("on the disk, an entry", "bytes", folder_bytes(bench.folder) / (double)count);

    WorkEntry some;
    char line[128];
    work_entry(count / 2, &some);
    search(&bench, "text, 10 of them", "deadlock", 1000, false);
    search(&bench, "text, all 1000 of them", "\"upstream timeout\"", 1000, false);
    search(&bench, "text, none there", "\"kernel panic\"", 1000, false);
    snprintf(line, sizeof line, "\"%.*s\"", 16, strstr(some.message, "trace=") + 6);
    search(&bench, "identifier in the text", line, 1000, false);
    snprintf(line, sizeof line, "corr:%s", some.request);
    search(&bench, "correlation id", line, 1000, false);
    search(&bench, "latest 1000 errors of a service", "service:service-07 level>=error", 1000,
           false);
    search(&bench, "latest 1000 of a service", "service:service-07", 1000, false);
    search(&bench, "latest 10000 of a quiet service", "service:service-quiet", QUIET, false);
    search(&bench, "regular expression, all", "/dead[a-z]+ detected/", 1000, false);
    search(&bench, "histogram of everything", "", 0, true);
    logs_close(bench.logs);
    rpc_server_free(bench.server);
    world_free(bench.world);
    snprintf(line, sizeof line, "rm -r %s", folder);
    return system(line) ? 1 : 0;
}
