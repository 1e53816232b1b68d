/* The store's transactions a second with so many callers, each waiting for its answer before it
 * asks again; and the segment store under entries of 200 bytes. The argument is a folder. */
#include <stdlib.h>
#include <string.h>

#include "../measure.h"
#include "os/world.h"
#include "store/segment_store.h"
#include "store/store.h"
#include "store_workload.h"

typedef struct Callers {
    World *world;
    Store *store;
    uint64_t random;
    int64_t until, done;
    int waiting;
} Callers;

static void ask(Callers *callers);

static void on_done(void *owner, const StoreResult *result) {
    Callers *callers = owner;
    if (result->error) {
        fprintf(stderr, "store: error %d\n", result->error);
        exit(1);
    }
    callers->done++;
    callers->waiting--;
    if (now_ns() < callers->until)
        ask(callers);
    else if (callers->waiting == 0)
        world_stop(callers->world);
}

static void ask(Callers *callers) {
    char key[16], value[VALUE_SIZE];
    memset(value, 'v', sizeof value);
    int len = snprintf(key, sizeof key, "key-%04d", (int)(seeded(&callers->random) % KEYS));
    StoreOp put = {
        .kind = STORE_PUT, .range.key = span(key, (size_t)len), .value = span(value, sizeof value)};
    callers->waiting++;
    if (store_commit(callers->store, &(StoreTxn){.then = &put, .then_count = 1}, on_done, callers))
        exit(1);
}

static void transactions(World *world, const char *folder, int count) {
    char path[300], measure[40];
    snprintf(path, sizeof path, "%s/muster-%d.db", folder, count);
    Callers callers = {.world = world, .random = 1};
    Buf error = {0};
    if (store_open(world, &(StoreOptions){.path = path}, &callers.store, &error) < 0) {
        fprintf(stderr, "%s\n", buf_cstr(&error));
        exit(1);
    }
    int64_t begin = now_ns();
    callers.until = begin + PUT_SECONDS * INT64_C(1000000000);
    for (int i = 0; i < count; i++)
        ask(&callers);
    world_run(world);
    snprintf(measure, sizeof measure, PUT_MEASURE, count);
    report(measure, "txn/s", (double)callers.done * 1e9 / (double)(now_ns() - begin));
    store_close(callers.store);
    buf_done(&error);
}

static void fail_if(int r, const char *what) {
    if (r >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, strerror(-r));
    exit(1);
}

/* As the logs' actor does it: append, sync now and then, and tidy, packing included. */
static void segments(const char *folder) {
    static char entries[POOL][ENTRY_SIZE];
    char path[300];
    snprintf(path, sizeof path, "%s/segments", folder);
    SegmentOptions options = {.files = files_real(), .folder = path};
    SegmentStore *store;
    SegmentStream *streams[STREAMS];
    Buf error = {0};
    fail_if(segment_store_open(&options, 1, 1, &store, &error), "open");
    for (int i = 0; i < STREAMS; i++) {
        char name[16];
        int len = snprintf(name, sizeof name, "calc-%d", i);
        fail_if(segment_store_stream(store, span(name, (size_t)len), &streams[i]), "stream");
    }
    entries_make(entries);
    int64_t begin = now_ns(), cpu = cpu_ns();
    for (int64_t i = 0; i < ENTRIES; i++) {
        SegmentStream *stream = streams[i % STREAMS];
        fail_if(segment_store_append(stream, segment_stream_end(stream),
                                     span(entries[i % POOL], ENTRY_SIZE), i),
                "append");
        if (i % SYNC_EVERY == 0)
            fail_if(segment_store_sync(store), "sync");
        if (i % (SYNC_EVERY / 8) == 0)
            fail_if(segment_store_tidy(store, i), "tidy");
    }
    fail_if(segment_store_sync(store), "sync");
    report_entries(begin, cpu);
    while (segment_store_tidy(store, ENTRIES) == 1)
        ;
    report("on the disk, packed", "bytes/entry",
           (double)segment_store_usage(store).bytes / (double)ENTRIES);
    segment_store_close(store);
    buf_done(&error);
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    World *world = world_new();
    static const int CALLERS[] = {1, 16, 256};
    for (int i = 0; i < 3; i++)
        transactions(world, argv[1], CALLERS[i]);
    world_free(world);
    segments(argv[1]);
    return 0;
}
