/* Watched paths: a file that changes restarts the services that ask for it, once nothing has changed
 * for a moment. A service that is itself what changes them is found out. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "services/orchestrator/action.h"
#include "services/orchestrator/calls.h"
#include "services/orchestrator/path_pattern.h"

#define FOLDERS_MAX 10000
#define LOOP_COUNT  5                       /* so many restarts in a row … */
#define LOOP_PAUSE  (10 * NANOS_PER_SECOND) /* … each so soon after the one before, are a loop */

/* Never worth a restart, and often huge. */
static const Span ALWAYS_IGNORED[] = {{".git", 4},         {"node_modules", 12}, {".muster", 7},
                                      {"__pycache__", 11}, {"*.swp", 5},         {"*~", 2}};

static bool is_ignored(const ConfigWatch *watch, Span path) {
    for (size_t i = 0; i < sizeof ALWAYS_IGNORED / sizeof *ALWAYS_IGNORED; i++)
        if (path_is_ignored(ALWAYS_IGNORED[i], path))
            return true;
    for (size_t i = 0; i < watch->ignore.count; i++)
        if (path_is_ignored(watch->ignore.items[i], path))
            return true;
    return false;
}

static bool asks_for(const ConfigWatch *watch, Span path) {
    for (size_t i = 0; i < watch->paths.count; i++)
        if (path_matches(watch->paths.items[i], path))
            return !is_ignored(watch, path);
    return false;
}

/* ---- folders ---- */

static void add_folder(Orchestrator *orchestrator, const ConfigWatch *watch, const char *path) {
    if (orchestrator->folder_count >= FOLDERS_MAX || is_ignored(watch, span_of(path)) ||
        folder_watch_add(orchestrator->folders, path) < 0)
        return;
    orchestrator->folder_count++;
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
            strcmp(entry->d_name, "..") == 0)
            continue;
        Buf below = {0};
        buf_printf(&below, "%s/%s", path, entry->d_name);
        add_folder(orchestrator, watch, buf_cstr(&below));
        buf_done(&below);
    }
    if (folder)
        closedir(folder);
}

/* Of a single file its folder is watched, since editors put a new file in the place of the old. */
static void add_path(Orchestrator *orchestrator, const ConfigWatch *watch, Span pattern) {
    Buf root = {0};
    struct stat found;
    buf_add(&root, path_pattern_root(pattern));
    if (stat(buf_cstr(&root), &found) == 0 && S_ISDIR(found.st_mode)) {
        add_folder(orchestrator, watch, buf_cstr(&root));
    } else {
        while (root.len && root.ptr[root.len - 1] != '/')
            root.len--;
        root.len -= root.len > 1;
        folder_watch_add(orchestrator->folders, buf_cstr(&root));
    }
    buf_done(&root);
}

/* ---- changes ---- */

static void name_file(const Orchestrator *orchestrator, Span path, Buf *out) {
    Span folder = orchestrator->config->folder;
    bool inside = span_starts(path, folder) && path.len > folder.len + 1;
    buf_clear(out);
    buf_add(out, inside ? span_skip(path, folder.len + 1) : path);
}

static void note_change(Service *service, Span path) {
    World *world = service->orchestrator->world;
    name_file(service->orchestrator, path, &service->changed_file);
    wheel_arm(world_wheel(world), &service->file_timer,
              world_now(world) + service->config->watch.debounce);
}

static void on_change(void *owner, const FolderChange *change) {
    Orchestrator *orchestrator = owner;
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        Service *service = orchestrator->services.items[s];
        const ConfigWatch *watch = &service->config->watch;
        if (!watch->paths.count || !service->wanted || service->removed)
            continue;
        if (change->lost) {
            note_change(service, SPAN("something"));
        } else if (change->folder && !change->gone) {
            Buf path = {0};
            buf_add(&path, change->path);
            add_folder(orchestrator, watch, buf_cstr(&path));
            buf_done(&path);
        }
        if (!change->lost && !change->folder && asks_for(watch, change->path))
            note_change(service, change->path);
    }
}

static void on_restarted(void *owner, const Action *action) {
    (void)owner;
    (void)action; /* events have told how it went */
}

/* True when it was restarted so often and so soon for the same file that it must be writing that
 * itself. */
static bool is_loop(Service *service, Nanos now) {
    bool same = span_equal(buf_span(&service->loop_file), buf_span(&service->changed_file));
    bool soon = service->file_restart_at && now - service->file_restart_at < LOOP_PAUSE;
    service->file_restarts = same && soon ? service->file_restarts + 1 : 0;
    service->file_restart_at = now;
    buf_clear(&service->loop_file);
    buf_add(&service->loop_file, buf_span(&service->changed_file));
    return service->file_restarts >= LOOP_COUNT;
}

static void on_quiet(Timer *timer) {
    Service *service = CONTAINER(timer, Service, file_timer);
    Orchestrator *orchestrator = service->orchestrator;
    Span file = buf_span(&service->changed_file);
    if (!service->wanted)
        return;
    if (is_loop(service, world_now(orchestrator->world))) {
        service_event(service, RT_SERVICE_EVENT_TYPE_FILE_CHANGED, SPAN("watch"),
                      "%.*s changes each time that it starts, so it is not restarted for it any "
                      "more: leave out with watch.ignore what it writes itself",
                      SPAN_ARGS(file));
        return;
    }
    Buf actor = {0};
    buf_printf(&actor, "file %.*s", SPAN_ARGS(file));
    service_event(service, RT_SERVICE_EVENT_TYPE_FILE_CHANGED, buf_span(&actor),
                  "%.*s has changed: it is restarted%s", SPAN_ARGS(file),
                  service->config->watch.dependants ? ", with those that depend on it" : "");
    bool *selected = call_select(orchestrator);
    selected[service->index] = true;
    if (service->config->watch.dependants)
        select_running_dependants(orchestrator, service, selected);
    action_begin(orchestrator, ACTION_RESTART, selected, -1, false, buf_span(&actor), on_restarted,
                 NULL);
    free(selected);
    buf_done(&actor);
}

/* ---- beginning and end ---- */

void files_watch(Orchestrator *orchestrator) {
    folder_watch_free(orchestrator->folders);
    orchestrator->folders = NULL;
    orchestrator->folder_count = 0;
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        const ConfigWatch *watch = &orchestrator->services.items[s]->config->watch;
        if (watch->paths.count && !orchestrator->folders &&
            folder_watch_new(orchestrator->world, on_change, orchestrator, &orchestrator->folders) <
                0)
            return;
        for (size_t i = 0; i < watch->paths.count; i++)
            add_path(orchestrator, watch, watch->paths.items[i]);
    }
}

void files_init(Service *service) {
    service->file_timer.fire = on_quiet;
}

void files_forget(Service *service) {
    wheel_cancel(world_wheel(service->orchestrator->world), &service->file_timer);
    buf_done(&service->changed_file);
    buf_done(&service->loop_file);
}
