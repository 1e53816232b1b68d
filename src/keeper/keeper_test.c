#include "keeper/keeper_kit.h"

#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>

static const ProcessSpec PLAIN = {0};

/* ---- what services do: each a way to be started ---- */

static int be_exit(char **words) {
    printf("bye\n");
    fprintf(stderr, "error\n");
    fflush(stdout);
    return atoi(words[0]);
}

static int be_killed(char **words) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    raise(atoi(words[0]));
    return 0;
}

/* The descriptors that are open, and who we are. */
static int be_inspected(char **words) {
    for (int fd = 0; fd < 2000; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            printf("%d ", fd);
    struct rlimit files;
    sigset_t blocked;
    getrlimit(RLIMIT_NOFILE, &files);
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    int count = 0;
    for (int number = 1; number < NSIG; number++)
        count += sigismember(&blocked, number) == 1 || signal(number, SIG_DFL) == SIG_IGN;
    char cwd[100];
    printf("leader %d blocked %d cwd %s marker %s\n",
           getsid(0) == getpid() && getpgrp() == getpid(), count, getcwd(cwd, sizeof cwd),
           getenv("MUSTER_PROCESS"));
    fflush(stdout);
    return 0;
}

static int be_patient(char **words) {
    while (pause() < 0)
        continue;
    return 0;
}

static int be_stubborn(char **words) {
    signal(SIGTERM, SIG_IGN);
    return be_patient(words);
}

/* A daemon leaves us, into a session of its own. */
static int be_left(char **words) {
    if (fork() == 0) {
        setsid();
        signal(SIGHUP, SIG_IGN);
        if (fork() != 0)
            _exit(0);
    }
    return be_patient(words);
}

/* The same, and ends itself. */
static int be_gone(char **words) {
    if (fork() == 0) {
        setsid();
        if (fork() != 0)
            _exit(0);
        return be_patient(words);
    }
    wait(NULL);
    return 3;
}

static int be_counting(char **words) {
    long until = atol(words[0]);
    for (long i = 0; i < until; i++)
        printf("line %08ld of a service that counts\n", i);
    fflush(stdout);
    return 7;
}

/* Slowly enough to be killed in between. */
static int be_ticking(char **words) {
    long until = atol(words[0]);
    for (long i = 0; i < until; i++) {
        printf("line %08ld of a service that counts\n", i);
        fflush(stdout);
        usleep(200);
    }
    return 7;
}

static int be_shouting(char **words) {
    static char block[65536];
    memset(block, 'x', sizeof block);
    for (;;)
        if (write(1, block, sizeof block) < 0)
            return 9;
}

static int be_echo(char **words) {
    char text[4096];
    ssize_t len;
    while ((len = read(0, text, sizeof text)) > 0)
        if (write(1, text, (size_t)len) != len)
            return 1;
    return 5;
}

static int be_terminal(char **words) {
    struct winsize size;
    char line[100];
    for (int i = 0; i < 2; i++) {
        if (!isatty(0) || ioctl(0, TIOCGWINSZ, &size) != 0)
            return 1;
        printf("%d %d\n", size.ws_row, size.ws_col);
        fflush(stdout);
        if (!fgets(line, sizeof line, stdin))
            return 2;
    }
    return tcgetsid(0) == getpid() ? 0 : 3;
}

static void say(const char *text) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const char *name = getenv("NOTIFY_SOCKET");
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    size_t length = strlen(name);
    memcpy(at.sun_path, name, length);
    at.sun_path[0] = 0;
    sendto(fd, text, strlen(text), 0, (struct sockaddr *)&at,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    close(fd);
}

static int be_notifying(char **words) {
    if (fork() == 0) { /* by a descendant, as systemd-notify does */
        say("READY=1\nSTATUS=half way\nWATCHDOG_USEC=500000");
        pause();
    }
    say("WATCHDOG=1");
    say("WATCHDOG=1\nSTATUS=there");
    return be_patient(words);
}

static int be_listening(char **words) {
    char text[20];
    snprintf(text, sizeof text, "%d", getpid());
    const char *pid = getenv("LISTEN_PID");
    return pid && strcmp(pid, text) == 0 && fcntl(3, F_GETFD) >= 0 && fcntl(9, F_GETFD) >= 0 &&
                   fcntl(4, F_GETFD) < 0
               ? 0
               : 1;
}

static const struct {
    const char *name;
    int (*be)(char **words);
} ROLES[] = {
    {"exit", be_exit},           {"killed", be_killed},       {"inspected", be_inspected},
    {"patient", be_patient},     {"stubborn", be_stubborn},   {"left", be_left},
    {"gone", be_gone},           {"counting", be_counting},   {"ticking", be_ticking},
    {"shouting", be_shouting},   {"echo", be_echo},           {"terminal", be_terminal},
    {"notifying", be_notifying}, {"listening", be_listening},
};

/* ---- reading output as the logs do ---- */

typedef struct Follow {
    RingReader *reader;
    uint64_t position;
    Buf text;
} Follow;

static void follow_open(Kit *kit, Follow *follow, const char *id, ProcessStream stream) {
    assert_int_equal(process_output(kit->host, span_of(id), stream, &follow->reader), 0);
}

/* Takes what is there; false when there is nothing more and never will be. */
static bool follow_read(Follow *follow) {
    bool closed = ring_closed(follow->reader);
    Span seen;
    while ((seen = ring_peek(follow->reader, follow->position)).len) {
        buf_add(&follow->text, seen);
        follow->position += seen.len;
        ring_release(follow->reader, follow->position);
    }
    return !closed;
}

static void follow_done(Follow *follow) {
    ring_reader_free(follow->reader);
    buf_done(&follow->text);
}

static Follow *followed;

static bool is_read(Kit *kit) {
    return !follow_read(followed);
}

static void read_all(Kit *kit, const char *id, ProcessStream stream, Follow *ret_follow) {
    *ret_follow = (Follow){0};
    followed = ret_follow;
    follow_open(kit, ret_follow, id, stream);
    kit_until(kit, is_read);
}

static void assert_output(Kit *kit, const char *id, ProcessStream stream, const char *text) {
    Follow follow;
    read_all(kit, id, stream, &follow);
    assert_span(buf_span(&follow.text), text);
    follow_done(&follow);
}

/* All lines from 0 to `count`, each once. */
static void assert_counted(Span text, long count) {
    char line[64];
    for (long i = 0; i < count; i++) {
        int len = snprintf(line, sizeof line, "line %08ld of a service that counts\n", i);
        if (!span_starts(text, span(line, (size_t)len)))
            fail_msg("at line %ld: '%.*s'", i, (int)(text.len < 60 ? text.len : 60), text.ptr);
        text = span_skip(text, (size_t)len);
    }
    assert_int_equal(text.len, 0);
}

/* ---- starting and ending ---- */

static void test_exits(void **state) {
    Kit *kit = *state;
    const ProcessInfo *info = kit_run(kit, (ProcessSpec){.label = SPAN("a\0b")}, "a.1", "exit 3");
    assert_int_equal(info->state == PROCESS_RUNNING || info->state == PROCESS_EXITED, true);
    assert_true(span_equal(info->label, SPAN("a\0b")));
    assert_int_equal(kit_start(kit, PLAIN, "a.1", "exit 3"), -EEXIST);
    info = kit_await_exit(kit, "a.1");
    assert_true(info->exit.known);
    assert_int_equal(info->exit.code, 3);
    assert_int_equal(info->exit.signal, 0);
    assert_true(info->exit.peak_memory_bytes > 0);
    assert_output(kit, "a.1", PROCESS_STDOUT, "bye\n");
    assert_output(kit, "a.1", PROCESS_STDERR, "error\n");
    kit_run(kit, PLAIN, "b", "killed 10");
    info = kit_await_exit(kit, "b");
    assert_int_equal(info->exit.code, -1);
    assert_int_equal(info->exit.signal, SIGUSR1);
    kit_release(kit, "a.1");
    assert_null(process_find(kit->host, SPAN("a.1")));
    assert_non_null(process_find(kit->host, SPAN("b")));
}

/* Its output is there as any, without a file; a keeper that is killed takes it along. */
static void test_brief(void **state) {
    Kit *kit = *state;
    char path[96];
    ProcessSpec brief = {.brief = true, .ring_size = RING_MIN};
    assert_false(kit_run(kit, brief, "b", "exit 3")->cgroup);
    assert_int_equal(kit_await_exit(kit, "b")->exit.code, 3);
    assert_output(kit, "b", PROCESS_STDOUT, "bye\n");
    assert_output(kit, "b", PROCESS_STDERR, "error\n");
    snprintf(path, sizeof path, "%s/rings/b.out", kit->folder);
    assert_int_equal(access(path, F_OK), -1);
    kit_release(kit, "b");
    kit_run(kit, brief, "p", "patient");
    kit_replace_keeper(kit);
    assert_int_equal(kit_signal(kit, "p", SIGKILL, PROCESS_TREE), 1);
    kit_await_exit(kit, "p");
    kit_release(kit, "p");
}

static void test_is_clean(void **state) {
    Kit *kit = *state;
    kit_run(kit, (ProcessSpec){.cwd = SPAN("/usr")}, "a", "inspected");
    kit_await_exit(kit, "a");
    assert_output(kit, "a", PROCESS_STDOUT, "0 1 2 leader 1 blocked 0 cwd /usr marker a\n");
}

static void test_inherits(void **state) {
    Kit *kit = *state;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ProcessFd fds[] = {{fd, 9}, {fd, 3}};
    Span env[] = {SPAN("LISTEN_FDS=1")};
    ProcessSpec spec = {.fds = fds, .fd_count = 2, .env = env, .env_count = 1};
    kit_run(kit, spec, "a", "listening");
    close(fd);
    assert_int_equal(kit_await_exit(kit, "a")->exit.code, 0);
}

static bool has_failed(Kit *kit) {
    return kit->failed > 0;
}

static void test_fails(void **state) {
    Kit *kit = *state;
    static const struct {
        const char *program, *cwd;
        struct ProcessRlimit limit;
        ProcessStep step;
        int error;
    } cases[] = {
        {"/nowhere/at/all", "/", {0}, PROCESS_STEP_EXEC, -ENOENT},
        {"no-such-program", "/", {0}, PROCESS_STEP_EXEC, -ENOENT},
        {"/etc/passwd", "/", {0}, PROCESS_STEP_EXEC, -EACCES},
        {"/etc", "/", {0}, PROCESS_STEP_EXEC, -EACCES},
        {"/bin/true", "/nowhere", {0}, PROCESS_STEP_CWD, -ENOENT},
        {"/bin/true", "/etc/passwd", {0}, PROCESS_STEP_CWD, -ENOTDIR},
        {"/bin/true", "/", {RLIMIT_NOFILE, 2, 1}, PROCESS_STEP_RLIMIT, -EINVAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Span argv[] = {span_of(cases[i].program)};
        ProcessSpec spec = {.argv = argv, .argv_count = 1, .cwd = span_of(cases[i].cwd)};
        if (cases[i].limit.soft) {
            spec.rlimits = &cases[i].limit;
            spec.rlimit_count = 1;
        }
        kit->failed = 0;
        assert_int_equal(kit_start(kit, spec, "failing", ""), 0);
        kit_until(kit, has_failed);
        assert_int_equal(kit->step, cases[i].step);
        assert_int_equal(kit->error, cases[i].error);
        assert_null(process_find(kit->host, SPAN("failing")));
    }
}

static bool are_200_running(Kit *kit) {
    return kit->started == 200;
}

static bool have_200_exited(Kit *kit) {
    return kit->exited == 200;
}

static void test_many(void **state) {
    Kit *kit = *state;
    char id[20];
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof id, "many-%d", i);
        assert_int_equal(kit_start(kit, PLAIN, id, "patient"), 0);
    }
    kit_until(kit, are_200_running);
    ProcessUsage usage;
    assert_int_equal(process_usage(kit->host, SPAN("many-7"), &usage), 0);
    assert_int_equal(usage.processes, 1);
    assert_int_equal(usage.open_files, 3);
    assert_true(usage.memory_bytes > 0);
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof id, "many-%d", i);
        process_signal(kit->host, span_of(id), SIGTERM, PROCESS_TREE, NULL, NULL);
    }
    kit_until(kit, have_200_exited);
}

/* ---- signals and trees ---- */

static void test_signals(void **state) {
    Kit *kit = *state;
    kit_run(kit, PLAIN, "a", "stubborn");
    usleep(100 * 1000); /* until it is stubborn: SIGTERM would end it otherwise */
    assert_int_equal(kit_signal(kit, "a", SIGTERM, PROCESS_SELF), 1);
    assert_int_equal(kit_signal(kit, "a", 0, PROCESS_GROUP), 1);
    assert_int_equal(kit_signal(kit, "a", SIGKILL, PROCESS_GROUP), 1);
    assert_int_equal(kit_await_exit(kit, "a")->exit.signal, SIGKILL);
    assert_int_equal(kit_signal(kit, "a", SIGKILL, PROCESS_SELF), -ESRCH);
    assert_int_equal(kit_signal(kit, "a", SIGKILL, PROCESS_GROUP), -ESRCH);
    assert_int_equal(kit_signal(kit, "a", SIGKILL, PROCESS_TREE), -ESRCH);
    assert_int_equal(process_signal(kit->host, SPAN("b"), SIGKILL, PROCESS_TREE, NULL, NULL),
                     -ENOENT);
}

static bool has_escaped(Kit *kit) {
    ProcessMember members[8];
    size_t count = process_members(kit->host, span_of(kit->id), members, 8);
    const ProcessInfo *info = process_find(kit->host, span_of(kit->id));
    for (size_t i = 0; i < count && i < 8; i++)
        if (members[i].parent != info->identity.pid &&
            members[i].identity.pid != info->identity.pid)
            return true;
    return false;
}

static bool is_tree_gone(Kit *kit) {
    return process_members(kit->host, span_of(kit->id), NULL, 0) == 0;
}

static void test_escapees(void **state) {
    Kit *kit = *state;
    kit_run(kit, PLAIN, "a", "left");
    kit_until(kit, has_escaped);
    assert_true(kit_signal(kit, "a", SIGKILL, PROCESS_TREE) >= 2);
    kit_until(kit, is_tree_gone);
    kit_run(kit, PLAIN, "b", "gone");
    assert_int_equal(kit_await_exit(kit, "b")->exit.code, 3);
    kit_until(kit, has_escaped);
    RingReader *reader; /* of which the daemon has the other end */
    assert_int_equal(process_output(kit->host, SPAN("b"), PROCESS_STDOUT, &reader), 0);
    assert_false(ring_closed(reader));
    assert_true(kit_signal(kit, "b", SIGTERM, PROCESS_TREE) >= 1);
    kit_until(kit, is_tree_gone);
    ring_reader_free(reader);
    assert_output(kit, "b", PROCESS_STDOUT, "");
}

static void test_escapees_by_marker(void **state) {
    Kit *kit = *state;
    test_escapees(state);
    assert_false(process_find(kit->host, SPAN("a"))->cgroup);
    /* Taken over by a new keeper, orphans are nobody's children that we know. */
    kit_run(kit, PLAIN, "c", "gone");
    kit_await_exit(kit, "c");
    kit_until(kit, has_escaped);
    kit_replace_keeper(kit);
    assert_int_equal(kit_signal(kit, "c", SIGKILL, PROCESS_TREE), 1);
    kit_until(kit, is_tree_gone);
}

/* Without cgroups, which are not writable everywhere. */
static int set_up_without_cgroups(void **state) {
    setenv("MUSTER_CGROUP", "0", true);
    return kit_set_up(state);
}

static int tear_down_without_cgroups(void **state) {
    int error = kit_tear_down(state);
    unsetenv("MUSTER_CGROUP");
    return error;
}

/* ---- terminals, input, sd_notify ---- */

static const char *wanted_text;

static bool has_written(Kit *kit) {
    follow_read(followed);
    return followed->text.len &&
           memmem(followed->text.ptr, followed->text.len, wanted_text, strlen(wanted_text));
}

static void test_terminal(void **state) {
    Kit *kit = *state;
    Follow follow = {0};
    followed = &follow;
    ProcessSpec spec = {.terminal = true, .rows = 30, .columns = 100};
    const ProcessInfo *info = kit_run(kit, spec, "a", "terminal");
    assert_true(info->streams[PROCESS_TERMINAL]);
    assert_false(info->streams[PROCESS_STDOUT]);
    follow_open(kit, &follow, "a", PROCESS_TERMINAL);
    wanted_text = "30 100\r\n";
    kit_until(kit, has_written);
    assert_int_equal(process_resize(kit->host, SPAN("a"), 40, 120), 0);
    assert_int_equal(process_input(kit->host, SPAN("a"), SPAN("hello\n")), 0);
    wanted_text = "hello\r\n40 120\r\n";
    kit_until(kit, has_written);
    assert_int_equal(process_end_input(kit->host, SPAN("a")), 0);
    assert_int_equal(kit_await_exit(kit, "a")->exit.code, 2);
    kit_until(kit, is_read);
    follow_done(&follow);
}

static void test_input(void **state) {
    Kit *kit = *state;
    static char block[PROCESS_INPUT_MAX];
    Follow follow = {0};
    followed = &follow;
    memset(block, 'y', sizeof block);
    kit_run(kit, PLAIN, "a", "patient");
    assert_int_equal(process_input(kit->host, SPAN("a"), SPAN("x")), -EPIPE);
    kit_run(kit, (ProcessSpec){.input = true}, "b", "echo");
    follow_open(kit, &follow, "b", PROCESS_STDOUT);
    size_t sent = 0;
    for (int i = 0; i < 3; i++)
        sent +=
            process_input(kit->host, SPAN("b"), span(block, sizeof block)) == 0 ? sizeof block : 0;
    assert_true(sent >= sizeof block); /* the rest was too much at once */
    assert_int_equal(process_end_input(kit->host, SPAN("b")), 0);
    assert_int_equal(process_input(kit->host, SPAN("b"), SPAN("x")), -EPIPE);
    assert_int_equal(kit_await_exit(kit, "b")->exit.code, 5);
    kit_until(kit, is_read);
    assert_int_equal(follow.text.len, sent);
    follow_done(&follow);
}

static bool is_ready_and_watched(Kit *kit) {
    const ProcessInfo *info = process_find(kit->host, span_of(kit->id));
    return info->notice.ready && info->notice.watchdogs == 2;
}

static void test_notifies(void **state) {
    Kit *kit = *state;
    kit_run(kit, (ProcessSpec){.notify = true}, "a", "notifying");
    kit_until(kit, is_ready_and_watched);
    assert_int_equal(process_find(kit->host, SPAN("a"))->notice.watchdog_usec, 500000);
    /* Whoever is not of the tree is not heard, and another runtime hears what was said before. */
    kit_disconnect(kit);
    kit_connect(kit);
    assert_true(process_find(kit->host, SPAN("a"))->notice.ready);
    assert_int_equal(process_find(kit->host, SPAN("a"))->notice.watchdogs, 2);
}

/* ---- output ---- */

static void test_flood(void **state) {
    Kit *kit = *state;
    Follow follow;
    kit_run(kit, (ProcessSpec){.ring_size = 16384}, "a", "counting 200000");
    read_all(kit, "a", PROCESS_STDOUT, &follow);
    assert_counted(buf_span(&follow.text), 200000);
    assert_int_equal(ring_lost(follow.reader), 0);
    assert_int_equal(kit_await_exit(kit, "a")->exit.code, 7);
    follow_done(&follow);
}

static bool has_lost(Kit *kit) {
    return ring_lost(followed->reader) > 0;
}

/* Nobody reads: after a while the service goes on, and what it lost is counted. */
static void test_loses_when_nobody_reads(void **state) {
    Kit *kit = *state;
    Follow follow = {0};
    followed = &follow;
    RingGap gaps[RING_GAPS];
    kit_run(kit, (ProcessSpec){.ring_size = 16384}, "a", "counting 20000");
    follow_open(kit, &follow, "a", PROCESS_STDOUT);
    kit_await_exit(kit, "a");
    kit_until(kit, has_lost);
    follow_read(&follow);
    kit_until(kit, is_read);
    uint64_t lost = ring_lost(follow.reader), told = 0;
    size_t count = ring_gaps(follow.reader, 0, UINT64_MAX, gaps);
    for (size_t i = 0; i < count; i++)
        told += gaps[i].bytes;
    assert_int_equal(told, lost);
    assert_int_equal(follow.position + lost,
                     20000 * strlen("line 00000000 of a service that counts\n"));
    assert_int_equal(gaps[0].at, 16384);
    follow_done(&follow);
}

/* A small disk: what is there goes on, what is new is refused, and no longer when there is room. */
static void test_disk_full(void **state) {
    Kit *kit = *state;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", kit->folder, "tmpfs", 0, "size=1m") != 0)
        skip(); /* not for everybody */
    Follow follow = {0};
    followed = &follow;
    kit_run(kit, PLAIN, "a", "ticking 300");
    kit_start(kit, PLAIN, "b", "patient");
    kit_until(kit, has_failed);
    assert_int_equal(kit->step, PROCESS_STEP_RING);
    assert_int_equal(kit->error, -ENOSPC);
    read_all(kit, "a", PROCESS_STDOUT, &follow);
    assert_counted(buf_span(&follow.text), 300);
    assert_int_equal(kit_await_exit(kit, "a")->exit.code, 7);
    follow_done(&follow);
    kit_release(kit, "a");
    kit_run(kit, PLAIN, "c", "exit 0");
    assert_int_equal(kit_await_exit(kit, "c")->exit.code, 0);
}

/* ---- who is killed ---- */

static void test_runtime_dies(void **state) {
    Kit *kit = *state;
    kit_run(kit, (ProcessSpec){.label = SPAN("label"), .input = true}, "a", "echo");
    kit_run(kit, PLAIN, "b", "patient");
    pid_t pid = (pid_t)process_find(kit->host, SPAN("b"))->identity.pid;
    kit_disconnect(kit);
    kit_connect(kit);
    size_t at = 0;
    assert_span(process_next(kit->host, &at)->id, "a");
    assert_span(process_next(kit->host, &at)->id, "b");
    assert_null(process_next(kit->host, &at));
    assert_span(process_find(kit->host, SPAN("a"))->label, "label");
    assert_false(process_find(kit->host, SPAN("a"))->adopted);
    assert_int_equal(process_find(kit->host, SPAN("b"))->identity.pid, pid);
    kit_disconnect(kit);
    kill(pid, SIGUSR1); /* while there is no runtime */
    kit_await_gone(pid);
    kit_connect(kit);
    const ProcessInfo *info = kit_await_exit(kit, "b");
    assert_true(info->exit.known);
    assert_int_equal(info->exit.signal, SIGUSR1);
    assert_int_equal(process_input(kit->host, SPAN("a"), SPAN("still there")), 0);
    process_end_input(kit->host, SPAN("a"));
    assert_int_equal(kit_await_exit(kit, "a")->exit.code, 5);
    assert_output(kit, "a", PROCESS_STDOUT, "still there");
}

/* Runtimes come and go, at any point between reading, storing and releasing. */
static void test_runtime_dies_while_reading(void **state) {
    Kit *kit = *state;
    TestRandom random = test_random();
    Buf stored = {0}; /* what a segment would have: outlives the runtime, as its position does */
    kit_run(kit, (ProcessSpec){.ring_size = 8192}, "a", "ticking 3000");
    for (bool over = false; !over;) {
        RingReader *reader;
        assert_int_equal(process_output(kit->host, SPAN("a"), PROCESS_STDOUT, &reader), 0);
        for (uint64_t left = test_random_below(&random, 20); left > 0 && !over; left--) {
            bool closed = ring_closed(reader);
            Span seen = ring_peek(reader, stored.len);
            over = closed && !seen.len;
            if (test_random_below(&random, 4) == 0)
                break; /* read, not stored */
            buf_add(&stored, seen);
            if (test_random_below(&random, 4) == 0)
                break; /* stored, not released */
            ring_release(reader, stored.len);
            usleep(1000);
        }
        ring_reader_free(reader);
        kit_disconnect(kit);
        kit_connect(kit);
    }
    assert_counted(buf_span(&stored), 3000);
    assert_int_equal(kit_await_exit(kit, "a")->exit.code, 7);
    buf_done(&stored);
}

static void test_keeper_dies(void **state) {
    Kit *kit = *state;
    Follow follow = {0};
    followed = &follow;
    kit_run(kit, (ProcessSpec){.notify = true, .label = SPAN("x")}, "a", "ticking 3000");
    kit_run(kit, (ProcessSpec){.terminal = true}, "t", "terminal");
    kit_run(kit, (ProcessSpec){.input = true}, "i", "echo");
    follow_open(kit, &follow, "a", PROCESS_STDOUT);
    for (int i = 0; i < 5; i++) {
        follow_read(&follow);
        kit_replace_keeper(kit);
    }
    assert_true(process_find(kit->host, SPAN("a"))->adopted);
    kit_until(kit, is_read);
    assert_counted(buf_span(&follow.text), 3000);
    assert_int_equal(ring_lost(follow.reader), 0);
    const ProcessInfo *info = kit_await_exit(kit, "a");
    assert_true(!info->exit.known || info->exit.code == 7);
    follow_done(&follow);
    /* Terminals and input have outlived it, too. */
    assert_int_equal(process_input(kit->host, SPAN("i"), SPAN("hello")), 0);
    process_end_input(kit->host, SPAN("i"));
    info = kit_await_exit(kit, "i");
    assert_true(!info->exit.known || info->exit.code == 5);
    assert_output(kit, "i", PROCESS_STDOUT, "hello");
    process_input(kit->host, SPAN("t"), SPAN("a\nb\n"));
    info = kit_await_exit(kit, "t");
    assert_true(!info->exit.known || info->exit.code == 0);
    /* And the new one starts as the old one did. */
    kit_run(kit, PLAIN, "n", "exit 4");
    assert_int_equal(kit_await_exit(kit, "n")->exit.code, 4);
}

/* It is asked for something in the very moment. */
static void test_keeper_dies_while_starting(void **state) {
    Kit *kit = *state;
    char id[20];
    kit_run(kit, PLAIN, "first", "patient");
    for (int i = 0; i < 199; i++) {
        snprintf(id, sizeof id, "many-%d", i);
        assert_int_equal(kit_start(kit, PLAIN, id, "patient"), 0);
        if (i == 100)
            kill(kit_keeper(kit), SIGKILL);
    }
    kit_until(kit, are_200_running);
    size_t at = 0, count = 0;
    for (const ProcessInfo *info; (info = process_next(kit->host, &at)); count++)
        assert_int_equal(info->state, PROCESS_RUNNING);
    assert_int_equal(count, 200);
}

static void test_both_die(void **state) {
    Kit *kit = *state;
    Follow follow = {0};
    followed = &follow;
    kit_run(kit, (ProcessSpec){.label = SPAN("label")}, "a", "ticking 1000");
    const ProcessInfo *info = kit_run(kit, PLAIN, "b", "patient");
    pid_t pid = (pid_t)info->identity.pid;
    kit_run(kit, PLAIN, "c", "exit 6");
    kit_await_exit(kit, "c");
    pid_t keeper = kit_keeper(kit);
    kit_disconnect(kit);
    kill(keeper, SIGKILL);
    kill(pid, SIGKILL); /* unseen by anybody */
    kit_await_gone(keeper);
    kit_await_gone(pid);
    kit_connect(kit);
    info = process_find(kit->host, SPAN("a"));
    assert_span(info->label, "label");
    assert_true(info->adopted);
    info = kit_await_exit(kit, "b"); /* known only where its new parent has not fetched it yet */
    assert_true(!info->exit.known || info->exit.signal == SIGKILL);
    info = kit_await_exit(kit, "c"); /* the record had it */
    assert_true(info->exit.known);
    assert_int_equal(info->exit.code, 6);
    read_all(kit, "a", PROCESS_STDOUT, &follow);
    assert_counted(buf_span(&follow.text), 1000);
    follow_done(&follow);
}

/* ---- listeners, the runtime, the end ---- */

static void test_listeners(void **state) {
    Kit *kit = *state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat before, after;
    assert_int_equal(listen(fd, 5), 0);
    fstat(fd, &before);
    assert_int_equal(keeper_client_take_listener(kit->host, SPAN("127.0.0.1:0")), -ENOENT);
    keeper_client_leave_listener(kit->host, SPAN("127.0.0.1:0"), fd);
    kit_run(kit, PLAIN, "a", "patient"); /* there is a keeper from now on */
    close(fd);
    kit_disconnect(kit);
    kit_connect(kit);
    fd = keeper_client_take_listener(kit->host, SPAN("127.0.0.1:0"));
    assert_true(fd >= 0);
    fstat(fd, &after);
    assert_int_equal(before.st_ino, after.st_ino);
    close(fd);
    kit_replace_keeper(kit);
    kit_disconnect(kit);
    kit_connect(kit);
    fd = keeper_client_take_listener(kit->host, SPAN("127.0.0.1:0"));
    assert_true(fd >= 0);
    close(fd);
}

static void await_runtime(Kit *kit, uint32_t restarts, KeeperStatus *ret_status) {
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(keeper_status(kit->folder, ret_status), 0);
        if (ret_status->runtime_pid && ret_status->restarts == restarts)
            return;
        usleep(10 * 1000);
    }
    fail_msg("the runtime is not started again");
}

static void test_runtime_restarts(void **state) {
    Kit *kit = *state;
    static const char *const argv[] = {"sleep", "1000", NULL};
    KeeperRuntime runtime = {.program = "/bin/sleep", .argv = argv, .cwd = "/"};
    KeeperStatus status;
    Buf report = {0};
    kit_disconnect(kit);
    assert_int_equal(keeper_status(kit->folder, &status), -ENOENT);
    assert_int_equal(keeper_launch(kit->folder, &runtime, &report), 0);
    assert_int_equal(keeper_launch(kit->folder, &runtime, &report), -EALREADY);
    await_runtime(kit, 0, &status);
    assert_int_equal(status.runtime_exit, -1);
    assert_false(status.runtime_ready);
    for (uint32_t i = 1; i <= 3; i++) {
        kill((pid_t)status.runtime_pid, SIGKILL);
        await_runtime(kit, i, &status);
        assert_int_equal(WTERMSIG(status.runtime_exit), SIGKILL);
    }
    pid_t pid = (pid_t)status.runtime_pid;
    assert_int_equal(keeper_end(kit->folder, NANOS_PER_SECOND, &report), 0);
    assert_int_equal(keeper_status(kit->folder, &status), -ENOENT);
    assert_true(kit_is_gone(pid));
    buf_done(&report);
}

/* What the keeper says of its end is all that it says. */
static void test_cannot_be_launched(void **state) {
    Kit *kit = *state;
    static const char *const argv[] = {"sleep", "1000", NULL};
    KeeperRuntime runtime = {.program = "/bin/sleep", .argv = argv, .cwd = "/"};
    char socket[128];
    Buf report = {0};
    kit_disconnect(kit);
    keeper_end(kit->folder, 0, &report);
    buf_clear(&report);
    snprintf(socket, sizeof socket, "%s/keeper.sock", kit->folder);
    assert_int_equal(mkdir(socket, 0700), 0);
    assert_int_equal(keeper_launch(kit->folder, &runtime, &report), -EPROTO);
    assert_span(buf_span(&report), "keeper.sock: Address already in use");
    rmdir(socket);
    buf_done(&report);
}

/* One that comes while another goes, at every moment of its going. */
static void test_launched_while_another_ends(void **state) {
    Kit *kit = *state;
    static const char *const argv[] = {"sleep", "1000", NULL};
    KeeperRuntime runtime = {.program = "/bin/sleep", .argv = argv, .cwd = "/"};
    Buf report = {0};
    kit_disconnect(kit);
    assert_int_equal(keeper_launch(kit->folder, &runtime, &report), 0);
    for (int round = 0; round < 30; round++) {
        pid_t ending = fork();
        if (ending == 0) {
            Buf ignored = {0};
            _exit(keeper_end(kit->folder, NANOS_PER_SECOND, &ignored) == 0 ? 0 : 1);
        }
        int error;
        do
            error = keeper_launch(kit->folder, &runtime, &report);
        while (error == -EALREADY); /* it has not been told yet */
        assert_int_equal(error, 0);
        int status;
        waitpid(ending, &status, 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(keeper_end(kit->folder, NANOS_PER_SECOND, &report), 0);
    buf_done(&report);
}

static void test_ends(void **state) {
    Kit *kit = *state;
    Buf report = {0};
    const ProcessInfo *info = kit_run(kit, PLAIN, "a", "stubborn");
    pid_t stubborn = (pid_t)info->identity.pid;
    kit_run(kit, PLAIN, "b", "gone");
    kit_await_exit(kit, "b");
    kit_until(kit, has_escaped);
    ProcessMember daemon;
    assert_int_equal(process_members(kit->host, SPAN("b"), &daemon, 1), 1);
    kit_leave(kit, 100 * NANOS_PER_MILLI);
    assert_false(proc_is_alive((pid_t)daemon.identity.pid, daemon.identity.start_ticks));
    assert_true(kit_is_gone(stubborn));
    assert_int_equal(keeper_end(kit->folder, 0, &report), -ENOENT);
    /* What became of them is told to who comes next. */
    kit_connect(kit);
    info = kit_await_exit(kit, "a");
    assert_true(info->exit.known);
    assert_true(info->exit.signal == SIGKILL || info->exit.signal == SIGTERM);
    buf_done(&report);
}

static void test_leaks_nothing(void **state) {
    Kit *kit = *state;
    pid_t keeper = 0;
    uint32_t before = 0;
    for (int i = 0; i < 20; i++) {
        ProcessSpec spec = {
            .input = i % 2, .notify = i % 3, .terminal = i % 5 == 0, .brief = i % 7 == 0};
        char id[20];
        snprintf(id, sizeof id, "a-%d", i);
        kit_run(kit, spec, id, "exit 0");
        kit_await_exit(kit, id);
        kit_release(kit, id);
        if (i == 0) {
            keeper = kit_keeper(kit);
            before = proc_open_files(keeper); /* perhaps with one for our question */
        }
    }
    for (int i = 0; i < 30000 && proc_open_files(keeper) > before; i++)
        usleep(1000);
    assert_true(proc_open_files(keeper) <= before);
}

static void test_second_runtime(void **state) {
    Kit *kit = *state;
    static const char *const argv[] = {"sleep", "1000", NULL};
    KeeperClientOptions options = {.folder = kit->folder,
                                   .runtime = {.program = "/bin/sleep", .argv = argv, .cwd = "/"}};
    Buf report = {0};
    ProcessHost *host;
    kit_run(kit, PLAIN, "a", "patient");
    assert_int_equal(keeper_client_new(kit->world, &options, &host, &report), -EBUSY);
    assert_non_null(memmem(report.ptr, report.len, "is the runtime", 14));
    buf_done(&report);
}

#define KIT_TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof ROLES / sizeof *ROLES; i++)
        if (strcmp(argv[1], ROLES[i].name) == 0)
            return ROLES[i].be(argv + 2);
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_exits),
        KIT_TEST(test_brief),
        KIT_TEST(test_is_clean),
        KIT_TEST(test_inherits),
        KIT_TEST(test_fails),
        KIT_TEST(test_many),
        KIT_TEST(test_signals),
        KIT_TEST(test_escapees),
        cmocka_unit_test_setup_teardown(test_escapees_by_marker, set_up_without_cgroups,
                                        tear_down_without_cgroups),
        KIT_TEST(test_terminal),
        KIT_TEST(test_input),
        KIT_TEST(test_notifies),
        KIT_TEST(test_flood),
        KIT_TEST(test_loses_when_nobody_reads),
        KIT_TEST(test_runtime_dies),
        KIT_TEST(test_runtime_dies_while_reading),
        KIT_TEST(test_keeper_dies),
        KIT_TEST(test_keeper_dies_while_starting),
        KIT_TEST(test_both_die),
        KIT_TEST(test_listeners),
        KIT_TEST(test_runtime_restarts),
        KIT_TEST(test_cannot_be_launched),
        KIT_TEST(test_launched_while_another_ends),
        KIT_TEST(test_ends),
        KIT_TEST(test_leaks_nothing),
        KIT_TEST(test_second_runtime),
        KIT_TEST(test_disk_full), /* last: it leaves the others' view of the disks */
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
