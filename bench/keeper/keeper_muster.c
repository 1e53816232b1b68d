/* By way of the keeper, from the request to the answer, as the runtime does it. */
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "keeper/keeper_client.h"
#include "keeper_workload.h"

typedef struct Bench {
    World *world;
    ProcessHost *host;
    size_t started, exited;
    size_t wanted_started, wanted_exited;
    RingReader *reader;
    uint64_t position;
} Bench;

static void check(Bench *bench) {
    if (bench->started == bench->wanted_started && bench->exited == bench->wanted_exited)
        world_stop(bench->world);
}

static void on_started(void *owner, const ProcessInfo *info) {
    Bench *bench = owner;
    if (info->state != PROCESS_RUNNING)
        exit(1);
    bench->started++;
    check(bench);
}

static void on_exited(void *owner, const ProcessInfo *info) {
    Bench *bench = owner;
    bench->exited++;
    check(bench);
}

static void take(Bench *bench) {
    Span seen;
    while ((seen = ring_peek(bench->reader, bench->position)).len) {
        bench->position += seen.len;
        ring_release(bench->reader, bench->position);
    }
    if (bench->position == LINES * LINE_BYTES)
        check(bench);
}

static void on_output(void *owner, const ProcessInfo *info, ProcessStream stream) {
    Bench *bench = owner;
    if (bench->reader && stream == PROCESS_STDOUT)
        take(bench);
}

static const ProcessHandler HANDLER = {
    .started = on_started, .exited = on_exited, .output = on_output};

static void start(Bench *bench, const char *id, const Span *argv, size_t argc) {
    static const Span env[] = {{"PATH=/usr/bin:/bin", 18}};
    ProcessSpec spec = {.id = span_of(id),
                        .argv = argv,
                        .argv_count = argc,
                        .env = env,
                        .env_count = 1,
                        .cwd = SPAN("/")};
    if (process_start(bench->host, &spec) < 0)
        exit(1);
}

static double resident_kib(pid_t pid) {
    char path[64], line[256];
    long anonymous = 0, file_backed = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "RssAnon: %ld", &anonymous);
        sscanf(line, "RssFile: %ld", &file_backed);
    }
    if (file)
        fclose(file);
    return (double)(anonymous + file_backed);
}

static void start_and_end(Bench *bench, const char *folder) {
    static const Span sleep_words[] = {{"sleep", 5}, {"1000", 4}};
    char id[32];
    KeeperStatus status;
    int64_t begun = now_ns();
    for (int i = 0; i < PROCESSES; i++) {
        snprintf(id, sizeof id, "sleep-%d", i);
        start(bench, id, sleep_words, 2);
    }
    bench->wanted_started += PROCESSES;
    world_run(bench->world);
    report("100 processes started", "ms", (double)(now_ns() - begun) / 1e6);
    if (keeper_status(folder, &status) == 0)
        report("resident, with 100 processes", "KiB", resident_kib((pid_t)status.keeper.pid));
    begun = now_ns();
    for (int i = 0; i < PROCESSES; i++) {
        snprintf(id, sizeof id, "sleep-%d", i);
        process_signal(bench->host, span_of(id), SIGTERM, PROCESS_TREE, NULL, NULL);
    }
    bench->wanted_exited += PROCESSES;
    world_run(bench->world);
    report("100 processes ended", "ms", (double)(now_ns() - begun) / 1e6);
}

static void read_lines(Bench *bench, const char *self) {
    Span words[] = {span_of(self), SPAN("lines")};
    start(bench, "lines", words, 2);
    bench->wanted_started++;
    int64_t begun = now_ns();
    world_run(bench->world); /* until it is started */
    bench->wanted_exited++;
    if (process_output(bench->host, SPAN("lines"), PROCESS_STDOUT, &bench->reader) < 0)
        exit(1);
    take(bench);
    world_run(bench->world); /* until it has exited */
    while (bench->position < LINES * LINE_BYTES)
        take(bench);
    report("output", "lines/s", LINES / ((double)(now_ns() - begun) / 1e9));
    ring_reader_free(bench->reader);
}

static int remove_one(const char *path, const struct stat *file, int kind, struct FTW *where) {
    return remove(path);
}

static void on_left(void *owner) {
    world_stop(((Bench *)owner)->world);
}

int main(int argc, char **argv) {
    if (argc > 1)
        return write_lines();
    char folder[] = "/tmp/bench-keeper-XXXXXX", self[512] = {0};
    static const char *const words[] = {"true", NULL};
    KeeperClientOptions options = {.folder = folder,
                                   .runtime = {.program = "/bin/true", .argv = words, .cwd = "/"}};
    Buf reason = {0};
    Bench bench = {.world = world_new()};
    if (!mkdtemp(folder) || readlink("/proc/self/exe", self, sizeof self - 1) < 0 ||
        keeper_client_new(bench.world, &options, &bench.host, &reason) < 0)
        return 1;
    process_handle(bench.host, &HANDLER, &bench);
    static const Span once[] = {{"true", 4}};
    start(&bench, "first", once, 1); /* so that there is a keeper */
    bench.wanted_started = bench.wanted_exited = 1;
    world_run(bench.world);
    start_and_end(&bench, folder);
    read_lines(&bench, self);
    keeper_client_leave(bench.host, true, 0, on_left, &bench);
    world_run(bench.world);
    process_host_free(bench.host);
    world_free(bench.world);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
