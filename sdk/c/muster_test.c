/* The library and the calculator against the real program.
 *
 * usage: muster_c_test MUSTER CALCULATOR_SERVER CALCULATOR_CLIENT */
#include "muster.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"
#include "rpc.h"

static const char *program, *calculator_server, *calculator_client;

/* ---- a runtime in a folder of its own ---- */

typedef struct Runtime {
    char folder[64], address[64];
    char certificate[100], key[100]; /* empty: it listens in the clear */
    pid_t pid;
    Target target;
    Http http; /* to ask it what it knows */
} Runtime;

static void runtime_start(Runtime *runtime, const char *listen) {
    int pipes[2];
    char line[200] = "";
    assert_int_equal(pipe(pipes), 0);
    runtime->pid = fork();
    if (runtime->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
        dup2(pipes[1], STDOUT_FILENO);
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
        if (chdir(runtime->folder) == 0 && runtime->key[0])
            execl(program, program, "serve", "--listen", listen, "--tls-cert", runtime->certificate,
                  "--tls-key", runtime->key, NULL);
        else
            execl(program, program, "serve", "--listen", listen, NULL);
        _exit(127);
    }
    close(pipes[1]);
    FILE *out = fdopen(pipes[0], "r");
    assert_non_null(fgets(line, sizeof line, out));
    fclose(out);
    assert_int_equal(sscanf(line, "listening on %63s", runtime->address), 1);
}

static void read_token(Runtime *runtime) {
    char path[100], token[500] = "";
    snprintf(path, sizeof path, "%s/.muster/token", runtime->folder);
    FILE *file = fopen(path, "r");
    if (file && fgets(token, sizeof token, file)) {
        token[strcspn(token, "\n")] = 0;
        runtime->target.token = mu_copy_text(token);
    }
    if (file)
        fclose(file);
}

/* A certificate for localhost and 127.0.0.1 that vouches for itself. */
static void make_certificate(Runtime *runtime) {
    char command[500];
    snprintf(runtime->certificate, sizeof runtime->certificate, "%s/cert.pem", runtime->folder);
    snprintf(runtime->key, sizeof runtime->key, "%s/key.pem", runtime->folder);
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
             "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 "
             "-out %s -keyout %s 2>/dev/null",
             runtime->certificate, runtime->key);
    assert_int_equal(system(command), 0);
}

static void runtime_init_by(Runtime *runtime, bool tls) {
    *runtime = (Runtime){.folder = "/tmp/muster-sdk-XXXXXX"};
    assert_non_null(mkdtemp(runtime->folder));
    if (tls)
        make_certificate(runtime);
    runtime_start(runtime, "127.0.0.1:0");
    assert_true(mu_target_parse(&runtime->target, runtime->address));
    if (tls)
        runtime->target.ca_file = mu_copy_text(runtime->certificate);
    read_token(runtime);
    mu_http_init(&runtime->http, &runtime->target, -1);
}

static void runtime_init(Runtime *runtime) {
    runtime_init_by(runtime, false);
}

static void runtime_kill(Runtime *runtime, int signal) {
    kill(runtime->pid, signal);
    waitpid(runtime->pid, NULL, 0);
}

static void runtime_done(Runtime *runtime) {
    runtime_kill(runtime, SIGTERM);
    mu_http_close(&runtime->http);
    mu_target_done(&runtime->target);
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", runtime->folder);
    assert_int_equal(system(command), 0);
}

static Muster *service_start(const Runtime *runtime, const char *name, MusterType type) {
    char instance[80];
    snprintf(instance, sizeof instance, "%s-1.1", name);
    return muster_start(&(MusterOptions){.address = runtime->address,
                                         .token = runtime->target.token,
                                         .service_name = name,
                                         .instance_id = instance,
                                         .ca_file = runtime->target.ca_file,
                                         .type = type,
                                         .version = "1.2",
                                         .heartbeat_interval_ms = 1000});
}

/* ---- what the runtime knows ---- */

/* How many of the answer's messages in that field have, as their field `inner`, that text; -1 when
 * the call fails. */
static int count_in(Runtime *runtime, const char *method, int field, int inner, const char *text) {
    Bytes request = {0}, answer = {0};
    mu_put_number(&request, 7, 1); /* GetTopology: include_instances */
    int r = mu_rpc_unary(&runtime->http, method, &request, &answer, 2000), count = 0;
    for (Reader each = mu_reader_of(answer.ptr, answer.len); r == 0 && mu_reader_next(&each);)
        for (Reader in = mu_reader_inner(&each); each.field == field && mu_reader_next(&in);)
            count +=
                in.field == inner && in.len == strlen(text) && memcmp(in.text, text, in.len) == 0;
    mu_bytes_done(&request);
    mu_bytes_done(&answer);
    return r < 0 ? -1 : count;
}

#define GET_TOPOLOGY "/runtime.v1.TopologyService/GetTopology"
enum { NODES = 1, EDGES = 2, INSTANCES = 3, NODE_NAME = 1, EDGE_TARGET = 2, SERVICE_NAME = 2 };

typedef struct Entry {
    char service[100], message[200], correlation_id[200];
} Entry;

/* Calls back with each entry of the log. */
static void each_log(Runtime *runtime, void (*with)(void *owner, const Entry *entry), void *owner) {
    Bytes request = {0}, stream = {0}, in = {0}, answer = {0};
    mu_rpc_envelope(&stream, &request);
    int r = mu_rpc_begin(&runtime->http, "/runtime.v1.LoggerService/QueryLogs", &stream, 2000);
    while (r == 0 && mu_rpc_next(&runtime->http, &in, &answer) == 1) {
        Entry entry = {0};
        for (Reader each = mu_reader_of(answer.ptr, answer.len); mu_reader_next(&each);) {
            if (each.field == 1)
                mu_reader_text(&each, entry.service, sizeof entry.service);
            else if (each.field == 3)
                mu_reader_text(&each, entry.message, sizeof entry.message);
            else if (each.field == 5)
                mu_reader_text(&each, entry.correlation_id, sizeof entry.correlation_id);
        }
        with(owner, &entry);
    }
    mu_http_close(&runtime->http);
    mu_bytes_done(&request);
    mu_bytes_done(&stream);
    mu_bytes_done(&in);
    mu_bytes_done(&answer);
}

typedef struct Search {
    const char *service, *message, *correlation_id; /* NULL: any */
    int found;
    char first_id[200]; /* of the first that was found */
} Search;

static void compare(void *owner, const Entry *entry) {
    Search *search = owner;
    if ((search->service && strcmp(search->service, entry->service) != 0) ||
        strcmp(search->message, entry->message) != 0 ||
        (search->correlation_id && strcmp(search->correlation_id, entry->correlation_id) != 0))
        return;
    if (search->found++ == 0)
        snprintf(search->first_id, sizeof search->first_id, "%s", entry->correlation_id);
}

static int count_logs(Runtime *runtime, Search *search) {
    search->found = 0;
    each_log(runtime, compare, search);
    return search->found;
}

/* Waits for what happens elsewhere, and fails when it does not. */
#define EVENTUALLY(condition)                                                                      \
    do {                                                                                           \
        int64_t until_ = mu_now_ms() + 20000;                                                      \
        while (!(condition)) {                                                                     \
            if (mu_now_ms() > until_)                                                              \
                fail_msg("never happened: " #condition);                                           \
            usleep(20000);                                                                         \
        }                                                                                          \
    } while (0)

/* ---- tests ---- */

static void it_works_without_a_runtime(void **state) {
    (void)state;
    unsetenv("MUSTER_ADDRESS");
    MusterInstance found;
    for (int i = 0; i < 2; i++) {
        /* No address; and one where nobody is. */
        Muster *muster = muster_start(
            &(MusterOptions){.service_name = "lonely", .address = i ? "127.0.0.1:1" : NULL});
        assert_int_equal(muster_wait_registered(muster, 50), i ? -ETIMEDOUT : -ENOTCONN);
        MusterOffer offer = {.name = "Nothing", .address = "127.0.0.1:2"};
        assert_int_equal(muster_offer(muster, &offer), 0);
        assert_int_equal(muster_offer(muster, &(MusterOffer){.name = "x"}), -EINVAL);
        muster_withdraw(muster, "Nothing");
        muster_report_health(muster, MUSTER_HEALTH_HEALTHY, NULL);
        muster_report_call(muster, &(MusterCall){.target = "x", .method = "y"});
        if (i)
            muster_log(muster, MUSTER_INFO, "not heard: %d", i);
        MusterLookup lookup = {.name = "CalculatorService"};
        assert_int_equal(muster_lookup(muster, &lookup, &found, 1), -ENOTCONN);
        MusterWatch *watch = muster_watch(muster, "CalculatorService", NULL);
        assert_int_equal(muster_watch_next(watch, 10, &found), -ETIMEDOUT);
        muster_watch_free(watch);
        muster_stop(muster);
    }
    muster_stop(NULL);
}

static void services_find_each_other(void **state) {
    (void)state;
    Runtime runtime;
    runtime_init(&runtime);
    Muster *server = service_start(&runtime, "calc-server", MUSTER_SERVER);
    Muster *client = service_start(&runtime, "calc-client", MUSTER_CLIENT);
    assert_int_equal(muster_wait_registered(server, 10000), 0);
    assert_int_equal(muster_wait_registered(client, 10000), 0);
    assert_int_equal(count_in(&runtime, GET_TOPOLOGY, NODES, NODE_NAME, "calc-server"), 1);

    MusterLookup lookup = {.name = "CalculatorService", .role = "server"};
    MusterInstance found[4];
    assert_int_equal(muster_lookup(client, &lookup, found, 4), 0);
    MusterWatch *watch = muster_watch(client, "CalculatorService", "server");
    assert_int_equal(muster_watch_next(watch, 0, found), -ETIMEDOUT);
    MusterOffer offers[] = {
        {.name = "CalculatorService", .address = "127.0.0.1:4001"},
        {.name = "CalculatorService", .address = "127.0.0.1:4002", .weight = 3}};
    muster_offer(server, &offers[0]);
    muster_offer(server, &offers[1]);
    EVENTUALLY(muster_watch_count(watch) == 2);
    int second = 0;
    for (int i = 0; i < 40; i++) {
        assert_int_equal(muster_watch_next(watch, 0, found), 0);
        assert_string_equal(found->service_name, "calc-server");
        second += strcmp(found->address, "127.0.0.1:4002") == 0;
    }
    assert_int_equal(second, 30);

    muster_set_correlation_id("req-123");
    assert_int_equal(muster_lookup(client, &lookup, found, 4), 2);
    muster_log(client, MUSTER_INFO, "Calling Add(%d,%d)", 2, 3);
    muster_report_call(client, &(MusterCall){"calc-server", "Add", 1500, NULL, NULL});
    muster_set_correlation_id(NULL);
    Search calling = {.message = "Calling Add(2,3)", .correlation_id = "req-123"};
    EVENTUALLY(count_logs(&runtime, &calling) == 1);
    EVENTUALLY(count_in(&runtime, GET_TOPOLOGY, EDGES, EDGE_TARGET, "calc-server") >= 1);

    muster_withdraw(server, "CalculatorService");
    EVENTUALLY(muster_watch_count(watch) == 0);
    muster_watch_free(watch);
    muster_stop(client);
    muster_stop(server);
    assert_int_equal(count_in(&runtime, GET_TOPOLOGY, INSTANCES, SERVICE_NAME, "calc-server"), 0);
    runtime_done(&runtime);
}

static void a_restart_of_the_runtime_is_lived_through(void **state) {
    (void)state;
    Runtime runtime;
    runtime_init(&runtime);
    Muster *server = service_start(&runtime, "calc-server", MUSTER_SERVER);
    MusterOffer offer = {.name = "CalculatorService", .address = "127.0.0.1:4001"};
    muster_offer(server, &offer);
    MusterWatch *watch = muster_watch(server, "CalculatorService", NULL);
    MusterInstance found;
    assert_int_equal(muster_watch_next(watch, 10000, &found), 0);
    char address[64];
    snprintf(address, sizeof address, "%s", runtime.target.authority);
    runtime_kill(&runtime, SIGKILL);
    muster_set_correlation_id("req-away");
    muster_log(server, MUSTER_WARN, "said while it was away");
    muster_set_correlation_id(NULL);
    assert_int_equal(muster_watch_next(watch, 0, &found), 0); /* the last list stays */
    usleep(300000);
    runtime_start(&runtime, address);
    EVENTUALLY(count_in(&runtime, GET_TOPOLOGY, INSTANCES, SERVICE_NAME, "calc-server") == 1);
    MusterLookup lookup = {.name = "CalculatorService"};
    EVENTUALLY(muster_lookup(server, &lookup, &found, 1) == 1);
    Search said = {.message = "said while it was away", .correlation_id = "req-away"};
    EVENTUALLY(count_logs(&runtime, &said) == 1);
    usleep(1500000); /* a beat or two later it is still one */
    assert_int_equal(count_in(&runtime, GET_TOPOLOGY, INSTANCES, SERVICE_NAME, "calc-server"), 1);
    muster_watch_free(watch);
    kill(runtime.pid, SIGSTOP); /* nobody waits for ever for one that hangs */
    muster_log(server, MUSTER_INFO, "good-bye");
    muster_stop(server);
    kill(runtime.pid, SIGCONT);
    runtime_done(&runtime);
}

static void ids_are_threads_own(void **state) {
    (void)state;
    char id[MUSTER_CORRELATION_SIZE];
    muster_new_correlation_id(id);
    assert_int_equal(strlen(id), 20);
    assert_string_equal(muster_correlation_id(), "");
    muster_set_correlation_id(id);
    assert_string_equal(muster_correlation_id(), id);
    muster_set_correlation_id(NULL);
    assert_string_equal(muster_correlation_id(), "");
}

static pid_t run_service(const Runtime *runtime, const char *path) {
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setenv("MUSTER_ADDRESS", runtime->address, 1);
        setenv("MUSTER_TOKEN", runtime->target.token ? runtime->target.token : "", 1);
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
        execl(path, path, NULL);
        _exit(127);
    }
    return child;
}

static void stop_service(pid_t child) {
    int status;
    kill(child, SIGTERM);
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The specification's request, seen from all three sides. */
/* By https, where nobody is talked to who is not vouched for. */
static void tls_is_spoken(void **state) {
    Runtime runtime;
    runtime_init_by(&runtime, true);
    assert_int_equal(strncmp(runtime.address, "https://127.0.0.1:", 18), 0);
    Muster *server = service_start(&runtime, "secret-server", MUSTER_SERVER);
    assert_int_equal(muster_wait_registered(server, 10000), 0);
    muster_offer(server, &(MusterOffer){.name = "Secret", .address = "127.0.0.1:1"});
    MusterInstance instance;
    EVENTUALLY(muster_lookup(server, &(MusterLookup){.name = "Secret"}, &instance, 1) == 1);
    MusterWatch *watch = muster_watch(server, "Secret", NULL);
    assert_int_equal(muster_watch_next(watch, 10000, &instance), 0);
    muster_watch_free(watch);
    for (int i = 0; i < 300; i++)
        muster_log(server, MUSTER_INFO, "%0*d", 1000, i);
    muster_log(server, MUSTER_INFO, "that was all");
    Search last = {.service = "secret-server", .message = "that was all"};
    EVENTUALLY(count_logs(&runtime, &last) == 1);

    Muster *wary = muster_start(&(MusterOptions){.address = runtime.address,
                                                 .token = runtime.target.token,
                                                 .service_name = "wary",
                                                 .instance_id = "wary-1"});
    assert_int_equal(muster_wait_registered(wary, 1500), -ETIMEDOUT);
    assert_int_equal(count_in(&runtime, GET_TOPOLOGY, NODES, NODE_NAME, "wary"), 0);
    muster_stop(wary);
    muster_stop(server);
    runtime_done(&runtime);
}

static void the_calculator_is_found_and_followed(void **state) {
    (void)state;
    Runtime runtime;
    runtime_init(&runtime);
    pid_t server = run_service(&runtime, calculator_server);
    EVENTUALLY(count_in(&runtime, GET_TOPOLOGY, NODES, NODE_NAME, "calculator-server-c") == 1);
    pid_t client = run_service(&runtime, calculator_client);
    Search sum = {.service = "calculator-server-c", .message = "Add(2,3) = 5"};
    EVENTUALLY(count_logs(&runtime, &sum) == 1);
    char id[200];
    snprintf(id, sizeof id, "%s", sum.first_id);
    Search steps[] = {{"calculator-client-c", "Calling Add(2,3)", id, 0, ""},
                      {"broker", "Lookup CalculatorService", id, 0, ""},
                      {"calculator-client-c", "Result: 5", id, 0, ""}};
    for (int i = 0; i < 3; i++)
        EVENTUALLY(count_logs(&runtime, &steps[i]) == 1);
    EVENTUALLY(count_in(&runtime, GET_TOPOLOGY, EDGES, EDGE_TARGET, "calculator-server-c") >= 2);
    stop_service(client);
    stop_service(server);
    assert_int_equal(count_in(&runtime, GET_TOPOLOGY, NODES, NODE_NAME, "calculator-server-c"), 0);
    runtime_done(&runtime);
}

int main(int argc, char **argv) {
    if (argc < 4)
        return 2;
    char *paths[3];
    for (int i = 0; i < 3; i++)
        paths[i] = realpath(argv[1 + i], NULL);
    program = paths[0];
    calculator_server = paths[1];
    calculator_client = paths[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_works_without_a_runtime),
        cmocka_unit_test(services_find_each_other),
        cmocka_unit_test(a_restart_of_the_runtime_is_lived_through),
        cmocka_unit_test(tls_is_spoken),
        cmocka_unit_test(the_calculator_is_found_and_followed),
        cmocka_unit_test(ids_are_threads_own),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 0; i < 3; i++)
        free(paths[i]);
    return failed;
}
