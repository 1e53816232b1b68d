#include "os/simulated_disk.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/memory.h"
#include "os/files_ops.h"

#define SECTOR 512

/* The content of a file, which may have several names over time, and be open any number of
 * times. */
typedef struct Node {
    Link link;
    size_t open;
    Buf now;     /* as programs see it */
    Buf durable; /* as a power cut leaves it at worst */
    Buf dirty;   /* a byte for each sector: 1 when a sync would write it */
} Node;

typedef struct Name {
    char *path;
    Node *node;
} Name;

typedef ARRAY(Name) Names;

/* One change of names, as a journal would have it. */
typedef struct Change {
    char *gone; /* NULL: none */
    char *path; /* that bears the node from now on; NULL: none */
    Node *node;
} Change;

struct SimulatedDisk {
    Files files;
    uint64_t random, operations, left;
    bool dying, dead;
    uint32_t write_failures, sync_failures;
    int64_t limit;
    Names now, durable;
    ARRAY(Change) changes; /* since the last sync of names */
    Link nodes;
};

typedef struct SimulatedFile {
    File file;
    SimulatedDisk *disk;
    Node *node;
} SimulatedFile;

static SimulatedDisk *disk_of(Files *files) {
    return CONTAINER(files, SimulatedDisk, files);
}

static SimulatedFile *file_of(File *file) {
    return CONTAINER(file, SimulatedFile, file);
}

/* SplitMix64, as simulation.c. */
static uint64_t choose(SimulatedDisk *disk, uint64_t bound) {
    uint64_t z = disk->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint64_t)((unsigned __int128)(z ^ z >> 31) * bound >> 64);
}

/* Counts an operation that changes something. */
static int change(SimulatedDisk *disk, uint32_t failures) {
    if (!disk->dead && disk->dying && disk->left-- == 0)
        disk->dead = true;
    if (disk->dead)
        return -EIO;
    disk->operations++;
    return failures && choose(disk, 1000000) < failures ? -EIO : 0;
}

/* ---- content ---- */

static void set_size(Buf *content, size_t size) {
    if (size > content->len)
        memset(buf_reserve(content, size - content->len), 0, size - content->len);
    content->len = size;
}

static void node_mark(Node *node, size_t from, size_t to) {
    size_t sectors = (to + SECTOR - 1) / SECTOR;
    if (node->dirty.len < sectors)
        set_size(&node->dirty, sectors);
    for (size_t at = from / SECTOR; at < sectors; at++)
        node->dirty.ptr[at] = 1;
}

/* The sector becomes durable, as far as it lies within the durable size. */
static void node_keep(Node *node, size_t sector) {
    size_t from = sector * SECTOR, to = from + SECTOR;
    size_t least = node->now.len < node->durable.len ? node->now.len : node->durable.len;
    if (to > least)
        to = least;
    if (from < to)
        memcpy(node->durable.ptr + from, node->now.ptr + from, to - from);
}

/* All that is dirty becomes durable, or by chance some of it. */
static void node_settle(SimulatedDisk *disk, Node *node, bool all) {
    size_t before = node->durable.len, after = node->now.len;
    if (!all && after > before)
        after = before + choose(disk, after - before + 1);
    else if (!all && choose(disk, 2))
        after = before;
    set_size(&node->durable, after);
    for (size_t at = 0; at < node->dirty.len; at++)
        if (node->dirty.ptr[at] && (all || choose(disk, 2)))
            node_keep(node, at);
    buf_clear(&node->dirty);
}

static int64_t used(SimulatedDisk *disk) {
    int64_t sum = 0;
    for (size_t i = 0; i < disk->now.count; i++)
        sum += (int64_t)disk->now.items[i].node->now.len;
    return sum;
}

static int simulated_write(File *base, int64_t at, Span bytes) {
    SimulatedDisk *disk = file_of(base)->disk;
    Node *node = file_of(base)->node;
    bool was_dead = disk->dead;
    int r = change(disk, disk->write_failures);
    if (was_dead || bytes.len == 0)
        return r;
    if (r < 0) /* torn */
        bytes.len = choose(disk, bytes.len);
    size_t end = (size_t)at + bytes.len;
    int64_t more = end > node->now.len ? (int64_t)(end - node->now.len) : 0;
    if (r == 0 && disk->limit && more && used(disk) + more > disk->limit)
        return -ENOSPC;
    if (bytes.len == 0)
        return r;
    size_t old = node->now.len;
    if (end > old)
        set_size(&node->now, end);
    memcpy(node->now.ptr + at, bytes.ptr, bytes.len);
    node_mark(node, old < (size_t)at ? old : (size_t)at, end);
    return r;
}

static int64_t simulated_read(File *base, int64_t at, void *out, size_t size) {
    Node *node = file_of(base)->node;
    if (file_of(base)->disk->dead)
        return -EIO;
    if ((size_t)at >= node->now.len)
        return 0;
    size_t left = node->now.len - (size_t)at, take = size < left ? size : left;
    if (take)
        memcpy(out, node->now.ptr + at, take);
    return (int64_t)take;
}

static int64_t simulated_size(File *base) {
    return file_of(base)->disk->dead ? -EIO : (int64_t)file_of(base)->node->now.len;
}

static int simulated_truncate(File *base, int64_t size) {
    SimulatedDisk *disk = file_of(base)->disk;
    Node *node = file_of(base)->node;
    int r = change(disk, disk->write_failures);
    if (r < 0)
        return r;
    size_t old = node->now.len;
    set_size(&node->now, (size_t)size);
    if ((size_t)size > old)
        node_mark(node, old, (size_t)size);
    return 0;
}

static int simulated_sync(File *base) {
    SimulatedDisk *disk = file_of(base)->disk;
    bool was_dead = disk->dead;
    int r = change(disk, disk->sync_failures);
    if (!was_dead && !disk->dead)
        node_settle(disk, file_of(base)->node, r == 0);
    return r;
}

static void simulated_close(File *base) {
    file_of(base)->node->open--;
    free(file_of(base));
}

static const FileOps SIMULATED_FILE = {
    simulated_close, simulated_read,     simulated_write,
    simulated_size,  simulated_truncate, simulated_sync,
};

/* ---- names ---- */

static char *copy(const char *text) {
    char *made = text ? strdup(text) : NULL;
    if (text && !made)
        out_of_memory();
    return made;
}

static Name *find(Names *names, const char *path) {
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i].path, path) == 0)
            return &names->items[i];
    return NULL;
}

static void drop(Names *names, const char *path) {
    Name *name = find(names, path);
    if (!name)
        return;
    free(name->path);
    *name = names->items[--names->count];
}

static void apply(Names *names, const Change *what) {
    if (what->gone)
        drop(names, what->gone);
    if (!what->path)
        return;
    drop(names, what->path);
    *array_push(names) = (Name){copy(what->path), what->node};
}

static void record(SimulatedDisk *disk, const char *gone, const char *path, Node *node) {
    Change *made = array_push(&disk->changes);
    *made = (Change){copy(gone), copy(path), node};
    apply(&disk->now, made);
}

/* The first `count` changes are durable, and none waits any more. */
static void settle_names(SimulatedDisk *disk, size_t count) {
    for (size_t i = 0; i < disk->changes.count; i++) {
        Change *made = &disk->changes.items[i];
        if (i < count)
            apply(&disk->durable, made);
        free(made->gone);
        free(made->path);
    }
    disk->changes.count = 0;
}

static void node_free(Node *node) {
    list_remove(&node->link);
    buf_done(&node->now);
    buf_done(&node->durable);
    buf_done(&node->dirty);
    free(node);
}

static bool is_named(const Names *names, const Node *node) {
    for (size_t i = 0; i < names->count; i++)
        if (names->items[i].node == node)
            return true;
    return false;
}

/* Frees what no name leads to; no change of names waits. */
static void sweep(SimulatedDisk *disk) {
    LIST_EACH (&disk->nodes, link) {
        Node *node = CONTAINER(link, Node, link);
        if (!node->open && !is_named(&disk->now, node) && !is_named(&disk->durable, node))
            node_free(node);
    }
}

static int simulated_open(Files *files, const char *path, FileMode mode, File **ret) {
    SimulatedDisk *disk = disk_of(files);
    int r = mode == FILE_CREATE ? change(disk, disk->write_failures) : disk->dead ? -EIO : 0;
    if (r < 0)
        return r;
    Name *name = find(&disk->now, path);
    Node *node = name ? name->node : NULL;
    if (mode == FILE_CREATE && node)
        return -EEXIST;
    if (mode != FILE_CREATE && !node)
        return -ENOENT;
    if (!node) {
        node = xcalloc(1, sizeof *node);
        list_push_back(&disk->nodes, &node->link);
        record(disk, NULL, path, node);
    }
    node->open++;
    SimulatedFile *file = xcalloc(1, sizeof *file);
    *file = (SimulatedFile){{&SIMULATED_FILE}, disk, node};
    *ret = &file->file;
    return 0;
}

static int simulated_rename(Files *files, const char *from, const char *to) {
    SimulatedDisk *disk = disk_of(files);
    int r = change(disk, disk->write_failures);
    Name *name = find(&disk->now, from);
    if (r == 0 && !name)
        r = -ENOENT;
    if (r == 0)
        record(disk, from, to, name->node);
    return r;
}

static int simulated_remove(Files *files, const char *path) {
    SimulatedDisk *disk = disk_of(files);
    int r = change(disk, disk->write_failures);
    if (r == 0 && !find(&disk->now, path))
        r = -ENOENT;
    if (r == 0)
        record(disk, path, NULL, NULL);
    return r;
}

static int simulated_sync_folder(Files *files, const char *folder) {
    SimulatedDisk *disk = disk_of(files);
    int r = change(disk, disk->sync_failures);
    if (r < 0)
        return r;
    settle_names(disk, disk->changes.count);
    sweep(disk);
    return 0;
}

/* Folders need no making here: a file's path is its name. */
static int simulated_folder(Files *files, const char *path) {
    return disk_of(files)->dead ? -EIO : 0;
}

static int simulated_list(Files *files, const char *folder, FileNames *ret) {
    SimulatedDisk *disk = disk_of(files);
    size_t len = strlen(folder);
    for (size_t i = 0; i < disk->now.count && !disk->dead; i++) {
        const char *path = disk->now.items[i].path;
        if (strncmp(path, folder, len) == 0 && path[len] == '/' && !strchr(path + len + 1, '/'))
            *array_push(ret) = copy(path + len + 1);
    }
    return disk->dead ? -EIO : 0;
}

/* ---- the disk ---- */

SimulatedDisk *simulated_disk_new(uint64_t seed) {
    SimulatedDisk *disk = xcalloc(1, sizeof *disk);
    disk->files = (Files){simulated_open,        simulated_rename, simulated_remove,
                          simulated_sync_folder, simulated_folder, simulated_list};
    disk->random = seed;
    list_init(&disk->nodes);
    return disk;
}

static void names_clear(Names *names) {
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i].path);
    names->count = 0;
}

void simulated_disk_free(SimulatedDisk *disk) {
    settle_names(disk, 0);
    names_clear(&disk->now);
    names_clear(&disk->durable);
    sweep(disk);
    array_done(&disk->now);
    array_done(&disk->durable);
    array_done(&disk->changes);
    free(disk);
}

Files *simulated_disk_files(SimulatedDisk *disk) {
    return &disk->files;
}

void simulated_disk_kill_after(SimulatedDisk *disk, uint64_t operations) {
    disk->dying = true;
    disk->left = operations;
}

bool simulated_disk_is_dead(const SimulatedDisk *disk) {
    return disk->dead;
}

void simulated_disk_crash(SimulatedDisk *disk, bool power) {
    disk->dying = disk->dead = false;
    if (!power)
        return;
    settle_names(disk, choose(disk, disk->changes.count + 1));
    names_clear(&disk->now);
    for (size_t i = 0; i < disk->durable.count; i++)
        *array_push(&disk->now) =
            (Name){copy(disk->durable.items[i].path), disk->durable.items[i].node};
    LIST_EACH (&disk->nodes, link) {
        Node *node = CONTAINER(link, Node, link);
        node_settle(disk, node, false);
        buf_clear(&node->now);
        buf_add(&node->now, buf_span(&node->durable));
    }
    sweep(disk);
}

void simulated_disk_fail(SimulatedDisk *disk, uint32_t writes, uint32_t syncs) {
    disk->write_failures = writes;
    disk->sync_failures = syncs;
}

void simulated_disk_limit(SimulatedDisk *disk, int64_t bytes) {
    disk->limit = bytes;
}

uint64_t simulated_disk_operations(const SimulatedDisk *disk) {
    return disk->operations;
}
