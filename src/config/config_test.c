#include "config/config_kit.h"
#include "config/diff.h"

static const Config *read_kit(Kit *kit, size_t count) {
    const Config *config = NULL;
    ConfigReport report = {0};
    Buf problems = {0};
    int result = kit_config(kit, count, &config, &report);
    kit_print_problems(&report, kit->files[0].path, &problems);
    if (result < 0)
        fail_msg("%s", buf_cstr(&problems));
    buf_done(&problems);
    config_report_done(&report);
    return config;
}

static const Config *read_text(const char *path, const char *text) {
    Kit kit = {.variables = {"HOME=/root", "LEVEL=debug", "KEY=from-outside", "EMPTY="}};
    kit_add(&kit, path, span_of(text));
    return read_kit(&kit, 1);
}

static const ServiceConfig *service_of(const Config *config, const char *name) {
    const ServiceConfig *service = config_service(config, span_of(name));
    if (!service)
        fail_msg("no service %s", name);
    return service;
}

static Span argv_at(const ServiceConfig *service, size_t index) {
    assert_true(index < service->command.argv.count);
    return service->command.argv.items[index].text;
}

static const ConfigVariable *variable_of(const ServiceConfig *service, const char *name) {
    for (size_t i = 0; i < service->env.count; i++)
        if (span_equal(service->env.items[i].name, span_of(name)))
            return &service->env.items[i];
    fail_msg("no variable %s", name);
    return NULL;
}

/* ---- every field ---- */

static const char FULL_YAML[] =
    "services:\n"
    "  db: {command: db, task: true}\n"
    "  full:\n"
    "    label: Full\n"
    "    description: All there is\n"
    "    namespace: back\n"
    "    labels: {team: a, tier: 2}\n"
    "    command: [./run, --port, \"${PORT}\"]\n"
    "    args: [-v]\n"
    "    working_dir: sub/dir\n"
    "    env: {LEVEL: \"${LEVEL:-info}\", PORTS: \"${ports.http}\"}\n"
    "    secrets: {KEY: hunter22}\n"
    "    tty: true\n"
    "    depends_on: {db: {condition: completed, kind: soft}}\n"
    "    start_order: 3\n"
    "    max_retries: 5\n"
    "    replicas: 2\n"
    "    disabled: true\n"
    "    restart: {policy: always, initial: 2s, max: 1m, factor: 3, jitter: 0.5, stable: 9s}\n"
    "    success_exit_codes: [3, 0]\n"
    "    stop: {signal: INT, timeout: 4s, command: ./stop}\n"
    "    limits: {memory: 64MiB, cpu: 1.5, files: 100, processes: 20}\n"
    "    ports: {http: {port: 8080, per_replica: true}, grpc: auto}\n"
    "    port_conflict: kill\n"
    "    health_check: {type: http, endpoint: /h, host: localhost, port: http, interval: 5s,\n"
    "      timeout: 1s, initial_delay: 2s, success_threshold: 2, failure_threshold: 4,\n"
    "      start_limit: 1m}\n"
    "    type: notify\n"
    "    watchdog: 7s\n"
    "    watch: {paths: [src, \"*.c\"], ignore: [tmp], debounce: 1s, dependants: true}\n"
    "    commands: {test: make test, shell: {command: [sh], description: A shell}}\n"
    "    topology: {heartbeat_interval: 2s, stale_after: 3, dead_after: 4}\n"
    "    health: {enabled: false, latency: 200ms, error_rate: 0.1, minimum_calls: 5, window: 1m}\n"
    "    logs: {ring_size: 1MiB, mask: [\"pw=\\\\w+\"]}\n";

static const char FULL_TOML[] =
    "[[services]]\nshort_name = \"db\"\ncommand = \"db\"\ntask = true\n"
    "[[services]]\n"
    "name = \"Full\"\nshort_name = \"full\"\ndescription = \"All there is\"\nnamespace = \"back\"\n"
    "labels = {team = \"a\", tier = 2}\ncommand = [\"./run\", \"--port\", \"${PORT}\", \"-v\"]\n"
    "working_dir = \"sub/dir\"\nenv = {LEVEL = \"${LEVEL:-info}\", PORTS = \"${ports.http}\"}\n"
    "secrets = {KEY = \"hunter22\"}\ntty = true\n"
    "dependencies = [{service = \"db\", condition = \"completed\", kind = \"soft\"}]\n"
    "start_order = 3\nmax_retries = 5\nreplicas = 2\ndisabled = true\n"
    "restart = {policy = \"always\", initial = \"2s\", max = \"1m\", factor = 3, jitter = 0.5, "
    "stable = \"9s\"}\n"
    "success_exit_codes = [3, 0]\nstop = {signal = \"INT\", timeout = \"4s\", command = "
    "\"./stop\"}\n"
    "limits = {memory = \"64MiB\", cpu = 1.5, files = 100, processes = 20}\n"
    "ports = {http = {port = 8080, per_replica = true}, grpc = \"auto\"}\nport_conflict = "
    "\"kill\"\n"
    "type = \"notify\"\nwatchdog = \"7s\"\n"
    "watch = {paths = [\"src\", \"*.c\"], ignore = [\"tmp\"], debounce = \"1s\", dependants = "
    "true}\n"
    "commands = {test = \"make test\", shell = {command = [\"sh\"], description = \"A shell\"}}\n"
    "topology = {heartbeat_interval = \"2s\", stale_after = 3, dead_after = 4}\n"
    "health = {enabled = false, latency = \"200ms\", error_rate = 0.1, minimum_calls = 5, "
    "window = \"1m\"}\n"
    "logs = {ring_size = \"1MiB\", mask = ['pw=\\w+']}\n"
    "[services.health_check]\ntype = \"http\"\nendpoint = \"/h\"\nhost = \"localhost\"\n"
    "port = \"http\"\ninterval = \"5s\"\ntimeout = \"1s\"\ninitial_delay = \"2s\"\n"
    "success_threshold = 2\nfailure_threshold = 4\nstart_limit = \"1m\"\n";

/* The specification's config.yaml: a list, with command and args apart. */
static const char FULL_LIST[] =
    "services:\n"
    "  - {name: db, command: db, task: true}\n"
    "  - name: full\n"
    "    display_name: Full\n"
    "    description: All there is\n"
    "    namespace: back\n"
    "    labels: {team: a, tier: 2}\n"
    "    command: ./run\n"
    "    args: ['--port', '${PORT}', '-v']\n"
    "    cwd: ./sub/x/../dir/\n"
    "    environment: ['LEVEL=${LEVEL:-info}', 'PORTS=${ports.http}']\n"
    "    secrets: {KEY: hunter22}\n"
    "    is_tty: true\n"
    "    depends_on: [{service: db, condition: process_completed_successfully, kind: soft}]\n"
    "    start_order: 3\n"
    "    max_restarts: 5\n"
    "    replicas: 2\n"
    "    disabled: true\n"
    "    restart: {policy: always, max: 1m, factor: 3, jitter: 0.5, stable: 9s}\n"
    "    restartDelay: 2000\n"
    "    success_exit_codes: [0, 3]\n"
    "    shutdown: {signal: 2, timeout: 4s, command: ./stop}\n"
    "    limits: {memory: 67108864, cpus: 1.5, nofile: 100, pids: 20}\n"
    "    ports: {http: {port: 8080, per_replica: true}, grpc: auto}\n"
    "    port_conflict: kill\n"
    "    health_check: {type: http, path: /h, host: localhost, port: http, period: 5s,\n"
    "      timeout: 1000ms, initial_delay: 2s, success_threshold: 2, failure_threshold: 4,\n"
    "      start_timeout: 60s}\n"
    "    type: notify\n"
    "    watchdog: 7s\n"
    "    watch: {paths: [src, '*.c'], ignore: tmp, debounce: 1s, dependants: true}\n"
    "    commands: {test: [make, test], shell: {command: sh, description: A shell}}\n"
    "    topology: {heartbeat_interval: 2s, stale_after: 3, dead_after: 4}\n"
    "    health: {enabled: false, latency: 200ms, error_rate: 0.1, minimum_calls: 5, window: 1m}\n"
    "    logs: {ring_size: 1MiB, mask: 'pw=\\w+'}\n";

static void check_identity(const ServiceConfig *service) {
    assert_span(service->name, "full");
    assert_span(service->label, "Full");
    assert_span(service->description, "All there is");
    assert_span(service->namespace, "back");
    assert_int_equal(service->labels.count, 2);
    assert_span(service->labels.items[1].name, "tier");
    assert_span(service->labels.items[1].value, "2");
    assert_int_equal(service->kind, RT_SERVICE_KIND_PROCESS);
}

static void check_process(const ServiceConfig *service) {
    assert_int_equal(service->command.argv.count, 4);
    assert_span(argv_at(service, 0), "./run");
    assert_span(argv_at(service, 2), "${PORT}");
    assert_true(service->command.argv.items[2].open && !service->command.argv.items[3].open);
    assert_span(argv_at(service, 3), "-v");
    assert_span(service->working_dir, "/p/sub/dir");
    assert_int_equal(service->env.count, 3);
    assert_span(variable_of(service, "LEVEL")->value.text, "debug");
    assert_true(variable_of(service, "PORTS")->value.open);
    assert_true(variable_of(service, "KEY")->secret && !variable_of(service, "LEVEL")->secret);
    assert_span(variable_of(service, "KEY")->value.text, "hunter22");
    assert_true(service->tty);
    assert_int_equal(service->readiness, CONFIG_READY_NOTIFY);
    assert_int_equal(service->watchdog, 7 * NANOS_PER_SECOND);
    assert_int_equal(service->limits.memory, 64 << 20);
    assert_true(service->limits.cpu == 1.5);
    assert_int_equal(service->limits.files, 100);
    assert_int_equal(service->limits.processes, 20);
}

static void check_life(const ServiceConfig *service) {
    assert_int_equal(service->dependencies.count, 1);
    assert_span(service->dependencies.items[0].service, "db");
    assert_int_equal(service->dependencies.items[0].index, 0);
    assert_int_equal(service->dependencies.items[0].kind, RT_DEPENDENCY_KIND_SOFT);
    assert_int_equal(service->dependencies.items[0].condition, RT_DEPENDENCY_CONDITION_COMPLETED);
    assert_int_equal(service->start_order, 3);
    assert_int_equal(service->max_retries, 5);
    assert_int_equal(service->replicas, 2);
    assert_true(service->disabled);
    assert_int_equal(service->restart.policy, CONFIG_RESTART_ALWAYS);
    assert_int_equal(service->restart.initial, 2 * NANOS_PER_SECOND);
    assert_int_equal(service->restart.max, 60 * NANOS_PER_SECOND);
    assert_true(service->restart.factor == 3 && service->restart.jitter == 0.5);
    assert_int_equal(service->restart.stable, 9 * NANOS_PER_SECOND);
    assert_int_equal(service->success_exit_codes.count, 2);
    assert_int_equal(service->success_exit_codes.items[1], 3);
    assert_int_equal(service->stop.signal, 2);
    assert_int_equal(service->stop.timeout, 4 * NANOS_PER_SECOND);
    assert_span(service->stop.command.argv.items[0].text, "./stop");
}

static void check_network(const ServiceConfig *service) {
    const ConfigCheck *check = &service->health_check;
    assert_int_equal(service->ports.count, 2);
    assert_span(service->ports.items[0].name, "http");
    assert_int_equal(service->ports.items[0].number, 8080);
    assert_true(service->ports.items[0].per_replica);
    assert_int_equal(service->ports.items[1].number, 0);
    assert_int_equal(service->port_conflict, CONFIG_PORT_KILL);
    assert_int_equal(check->type, CONFIG_CHECK_HTTP);
    assert_span(check->endpoint.text, "/h");
    assert_span(check->host, "localhost");
    assert_span(check->port_name, "http");
    assert_int_equal(check->interval, 5 * NANOS_PER_SECOND);
    assert_int_equal(check->timeout, NANOS_PER_SECOND);
    assert_int_equal(check->initial_delay, 2 * NANOS_PER_SECOND);
    assert_int_equal(check->success_threshold, 2);
    assert_int_equal(check->failure_threshold, 4);
    assert_int_equal(check->start_limit, 60 * NANOS_PER_SECOND);
}

static void check_rest(const ServiceConfig *service) {
    assert_int_equal(service->watch.paths.count, 2);
    assert_span(service->watch.paths.items[0], "/p/src");
    assert_span(service->watch.paths.items[1], "/p/*.c");
    assert_span(service->watch.ignore.items[0], "tmp");
    assert_int_equal(service->watch.debounce, NANOS_PER_SECOND);
    assert_true(service->watch.dependants);
    assert_int_equal(service->commands.count, 2);
    assert_span(service->commands.items[0].name, "test");
    assert_int_equal(service->commands.items[0].command.argv.count, 2);
    assert_span(service->commands.items[1].description, "A shell");
    assert_int_equal(service->topology.heartbeat_interval, 2 * NANOS_PER_SECOND);
    assert_int_equal(service->topology.stale_after, 3);
    assert_int_equal(service->topology.dead_after, 4);
    assert_false(service->health.enabled);
    assert_int_equal(service->health.latency, 200 * NANOS_PER_MILLI);
    assert_true(service->health.error_rate == 0.1);
    assert_int_equal(service->health.minimum_calls, 5);
    assert_int_equal(service->health.window, 60 * NANOS_PER_SECOND);
    assert_int_equal(service->logs.ring_size, 1 << 20);
    assert_span(service->logs.mask.items[0], "pw=\\w+");
}

static void every_field_in_every_format(void **state) {
    static const struct {
        const char *path, *text;
    } FORMS[] = {
        {"/p/muster.yaml", FULL_YAML},
        {"/p/services.toml", FULL_TOML},
        {"/p/config.yaml", FULL_LIST},
    };
    uint64_t hash = 0;
    for (size_t i = 0; i < 3; i++) {
        const Config *config = read_text(FORMS[i].path, FORMS[i].text);
        const ServiceConfig *service = service_of(config, "full");
        check_identity(service);
        check_process(service);
        check_life(service);
        check_network(service);
        check_rest(service);
        /* However it is written, it is the same. */
        if (i)
            assert_true(service->hash == hash);
        hash = service->hash;
        config_unref(config);
    }
}

static void defaults(void **state) {
    const Config *config = read_text("/home/me/shop/muster.yaml", "services: {a: {command: x}}");
    const ServiceConfig *a = service_of(config, "a");
    assert_span(config->project, "shop");
    assert_span(config->data, "/home/me/shop/.muster");
    assert_int_equal(config->log_store.disk_size, INT64_C(1) << 30);
    assert_int_equal(config->port_range.first, 20000);
    assert_span(a->working_dir, "/home/me/shop");
    assert_int_equal(a->max_retries, 3);
    assert_int_equal(a->replicas, 1);
    assert_int_equal(a->restart.policy, CONFIG_RESTART_ON_FAILURE);
    assert_int_equal(a->restart.initial, NANOS_PER_SECOND);
    assert_int_equal(a->restart.max, 90 * NANOS_PER_SECOND);
    assert_int_equal(a->restart.stable, 5 * NANOS_PER_SECOND);
    assert_int_equal(a->stop.signal, 15);
    assert_int_equal(a->stop.timeout, 10 * NANOS_PER_SECOND);
    assert_int_equal(a->success_exit_codes.count, 1);
    assert_int_equal(a->health_check.type, CONFIG_CHECK_NONE);
    assert_int_equal(a->health_check.interval, 10 * NANOS_PER_SECOND);
    assert_int_equal(a->health_check.timeout, 3 * NANOS_PER_SECOND);
    assert_int_equal(a->health_check.start_limit, 30 * NANOS_PER_SECOND);
    assert_int_equal(a->port_conflict, CONFIG_PORT_FAIL);
    assert_true(a->health.enabled);
    config_unref(config);
}

/* ---- the specification's own ---- */

static void the_specifications_examples(void **state) {
    const Config *config =
        read_text("/p/config.yaml", "# config.yaml\nservices:\n"
                                    "  - name: broker\n    # Natives gRPC für Service-zu-Service\n"
                                    "  - name: health-service\n    # Connect (gRPC + HTTP/1.1)\n"
                                    "  - name: logger-service\n    # Connect (gRPC + HTTP/1.1)\n"
                                    "  - name: gateway\n    # Envoy für Legacy-Services\n");
    assert_int_equal(config->services.count, 4);
    assert_int_equal(service_of(config, "health-service")->kind, RT_SERVICE_KIND_BUILTIN);
    assert_int_equal(config->problems.count, 4);
    assert_int_equal(config->problems.items[0].severity, RT_PROBLEM_SEVERITY_NOTE);
    config_unref(config);
    config = read_text("/p/config.yaml", "# config.yaml\nservices:\n  - name: dashboard\n"
                                         "    command: pnpm\n"
                                         "    args: ['-C', 'apps/dashboard', 'dev']\n"
                                         "    env:\n      PORT: '3000'\n");
    const ServiceConfig *dashboard = service_of(config, "dashboard");
    assert_int_equal(dashboard->command.argv.count, 4);
    assert_span(argv_at(dashboard, 2), "apps/dashboard");
    assert_span(variable_of(dashboard, "PORT")->value.text, "3000");
    config_unref(config);
}

static const char RUSSELL[] = "[[services]]\n"
                              "name = \"Kant\"\n"
                              "short_name = \"kant\"\n"
                              "description = \"API Gateway\"\n"
                              "http_port = 8080\n"
                              "command = [\"./bin/mdw\", \"serve\", \"kant\"]\n"
                              "dependencies = [\"turing\"]\n"
                              "start_order = 10\n"
                              "max_retries = 3\n"
                              "\n"
                              "[services.health_check]\n"
                              "type = \"http\"\n"
                              "endpoint = \"/api/v1/health\"\n"
                              "interval = \"10s\"\n"
                              "timeout = \"3s\"\n"
                              "\n"
                              "[[services]]\n"
                              "name = \"Turing\"\n"
                              "short_name = \"turing\"\n"
                              "description = \"LLM Management\"\n"
                              "grpc_port = 9200\n"
                              "http_port = 9201\n"
                              "command = [\"./bin/mdw\", \"serve\", \"turing\"]\n"
                              "dependencies = []\n"
                              "start_order = 1\n"
                              "max_retries = 3\n"
                              "\n"
                              "[services.health_check]\n"
                              "type = \"grpc\"\n"
                              "interval = \"10s\"\n"
                              "timeout = \"3s\"\n"
                              "\n"
                              "# ... weitere Services\n";

static void russells_services(void **state) {
    const Config *config = read_text("/p/configs/services.toml", RUSSELL);
    const ServiceConfig *kant = service_of(config, "kant"), *turing = service_of(config, "turing");
    assert_span(config->folder, "/p");
    assert_span(kant->working_dir, "/p");
    assert_span(kant->label, "Kant");
    assert_span(kant->health_check.endpoint.text, "/api/v1/health");
    assert_span(kant->health_check.port_name, "http");
    assert_int_equal(kant->dependencies.items[0].condition, RT_DEPENDENCY_CONDITION_HEALTHY);
    assert_int_equal(turing->ports.count, 2);
    assert_span(turing->health_check.port_name, "grpc");
    assert_int_equal(turing->ports.items[0].number, 9200);
    assert_int_equal(turing->start_order, 1);
    config_unref(config);
    /* Anywhere else, paths start beside the file. */
    config = read_text("/p/services.toml", RUSSELL);
    assert_span(config->folder, "/p");
    config_unref(config);
}

/* ---- how values come about ---- */

static void commands(void **state) {
    const Config *config =
        read_text("/p/muster.yaml", "services:\n"
                                    "  plain: {command: node server.js --port 80}\n"
                                    "  shell: {command: 'echo \"$HOME\" | cat'}\n"
                                    "  variable: {command: 'A=1 x'}\n"
                                    "  builtin: {command: exec ./x}\n"
                                    "  dollars: {command: 'echo $${HOME} $$'}\n"
                                    "  open: {command: 'x $${A} ${PORT}', ports: {main: 1}}\n"
                                    "  spaced: {command: my tool, args: [a b]}\n");
    assert_int_equal(service_of(config, "plain")->command.argv.count, 4);
    assert_false(service_of(config, "plain")->command.shell);
    assert_span(argv_at(service_of(config, "shell"), 0), "/bin/sh");
    assert_span(argv_at(service_of(config, "shell"), 2), "echo \"$HOME\" | cat");
    assert_true(service_of(config, "variable")->command.shell);
    assert_true(service_of(config, "builtin")->command.shell);
    assert_span(argv_at(service_of(config, "dollars"), 2), "echo ${HOME} $");
    assert_false(service_of(config, "dollars")->command.argv.items[2].open);
    assert_span(argv_at(service_of(config, "open"), 2), "x $${A} ${PORT}");
    assert_int_equal(service_of(config, "spaced")->command.argv.count, 3);
    assert_span(argv_at(service_of(config, "spaced"), 2), "a b");
    config_unref(config);
}

static bool lookup(void *owner, Span name, Buf *out) {
    if (span_equal(name, SPAN("ports.web")))
        buf_add_literal(out, "8080");
    return span_equal(name, SPAN("ports.web"));
}

static void filling(void **state) {
    Buf out = {0};
    ConfigText open = {SPAN("a$$b ${ports.web}$$"), true}, plain = {SPAN("$${x}"), false};
    assert_int_equal(config_fill(&open, lookup, NULL, &out), 0);
    assert_span(buf_span(&out), "a$b 8080$");
    buf_clear(&out);
    assert_int_equal(config_fill(&plain, lookup, NULL, &out), 0);
    assert_span(buf_span(&out), "$${x}");
    ConfigText unknown = {SPAN("${ports.x}"), true};
    assert_int_equal(config_fill(&unknown, lookup, NULL, &out), -ENOENT);
    buf_done(&out);
}

static void variables(void **state) {
    Kit kit = {.variables = {"LEVEL=debug", "EMPTY=", "OUTER=o"}};
    kit_add(
        &kit, "/p/muster.yaml",
        SPAN(
            "env: {SHARED: s, BOTH: project}\n"
            "secrets: {TOP: topsecret}\n"
            "services:\n"
            "  a:\n"
            "    command: [x, '${secrets.TOP}', '${EMPTY:-d}', '${EMPTY-d}', '${X:-${OUTER}}']\n"
            "    env_files: [a.env]\n"
            "    env: {BOTH: own, DB_PASSWORD: hidden, OUTER: , ABSENT: , MIX: 'a${secrets.TOP}'}\n"
            "    replicas: ${REPLICAS:-4}\n"
            "    description: ${FROM_DOTENV}\n"));
    kit_add(&kit, "/p/.env", SPAN("FROM_DOTENV=yes # comment\nLEVEL=ignored\n"));
    kit_add(
        &kit, "/p/a.env",
        SPAN("# comment\nexport ONE=1\nTWO=\"a\\nb # c\"\nTHREE='$x'\n\nBOTH=file\nFOUR = f \r\n"));
    const Config *config = read_kit(&kit, 1);
    const ServiceConfig *a = service_of(config, "a");
    assert_span(argv_at(a, 1), "topsecret");
    assert_span(argv_at(a, 2), "d");
    assert_span(argv_at(a, 3), "");
    assert_span(argv_at(a, 4), "o");
    assert_span(variable_of(a, "SHARED")->value.text, "s");
    assert_span(variable_of(a, "BOTH")->value.text, "own");
    assert_true(variable_of(a, "TOP")->secret && variable_of(a, "DB_PASSWORD")->secret);
    assert_true(variable_of(a, "MIX")->secret);
    assert_span(variable_of(a, "OUTER")->value.text, "o");
    assert_int_equal(variable_of(a, "OUTER")->source, RT_CONFIGURATION_SOURCE_ENVIRONMENT);
    assert_span(variable_of(a, "ONE")->value.text, "1");
    assert_span(variable_of(a, "TWO")->value.text, "a\nb # c");
    assert_span(variable_of(a, "THREE")->value.text, "$x");
    assert_span(variable_of(a, "FOUR")->value.text, "f");
    assert_int_equal(variable_of(a, "ONE")->source, RT_CONFIGURATION_SOURCE_ENV_FILE);
    assert_int_equal(variable_of(a, "ONE")->place.line, 2);
    assert_span(variable_of(a, "LEVEL")->value.text, "ignored");
    assert_int_equal(a->replicas, 4);
    assert_span(a->description, "yes");
    assert_int_equal(config->secrets.count, 3);
    assert_int_equal(config->files.count, 3);
    config_unref(config);
}

static void merging(void **state) {
    Kit kit = {0};
    kit_add(&kit, "/p/muster.yaml",
            SPAN("extends: base/base.yaml\n"
                 "templates: {t: {replicas: 3, env: {T: t}}}\n"
                 "defaults: {max_retries: 9}\n"
                 "services:\n"
                 "  a: {command: x, extends: t, env: {A: a}}\n"
                 "  b: {command: y, extends: [a], replicas: 1}\n"));
    kit_add(&kit, "/p/over.yaml",
            SPAN("services:\n  - {name: a, env: {O: o}}\n"
                 "  - {name: c, command: z, max_retries: 2}\n"));
    kit_add(&kit, "/p/base/base.yaml", SPAN("project: based\nservices: {base: {command: w}}\n"));
    const Config *config = read_kit(&kit, 2);
    const ServiceConfig *a = service_of(config, "a"), *b = service_of(config, "b");
    assert_span(config->project, "based");
    assert_int_equal(config->services.count, 4);
    assert_span(config->services.items[0].name, "base");
    assert_int_equal(a->replicas, 3);
    assert_int_equal(a->env.count, 3);
    assert_int_equal(b->replicas, 1);
    assert_span(argv_at(b, 0), "y");
    assert_span(variable_of(b, "T")->value.text, "t");
    assert_int_equal(a->max_retries, 9);
    assert_int_equal(service_of(config, "c")->max_retries, 2);
    assert_span(service_of(config, "base")->working_dir, "/p");
    config_unref(config);
}

static void brief_forms(void **state) {
    const Config *config =
        read_text("/p/muster.yaml", "x-note: {mine: true}\n"
                                    "services:\n"
                                    "  a:\n"
                                    "    command: x\n"
                                    "    port: 80\n"
                                    "    restart: never\n"
                                    "    stop: INT\n"
                                    "    watch: src\n"
                                    "    health: false\n"
                                    "    health_check: tcp\n"
                                    "    schedule: \"@hourly\"\n"
                                    "    depends_on: b\n"
                                    "  b: {external: true, health_check: {pattern: up}}\n"
                                    "  c: {command: x, depends_on: {d: {pattern: up}}}\n"
                                    "  d: {command: x, health_check: {command: [true]}}\n");
    const ServiceConfig *a = service_of(config, "a");
    assert_int_equal(a->kind, RT_SERVICE_KIND_SCHEDULED);
    assert_span(a->ports.items[0].name, "main");
    assert_int_equal(a->restart.policy, CONFIG_RESTART_NEVER);
    assert_int_equal(a->stop.signal, 2);
    assert_span(a->watch.paths.items[0], "/p/src");
    assert_false(a->health.enabled);
    assert_span(a->health_check.port_name, "main");
    assert_int_equal(service_of(config, "b")->kind, RT_SERVICE_KIND_EXTERNAL);
    assert_int_equal(service_of(config, "b")->health_check.type, CONFIG_CHECK_LOG_LINE);
    assert_int_equal(service_of(config, "c")->dependencies.items[0].condition,
                     RT_DEPENDENCY_CONDITION_LOG_LINE);
    assert_int_equal(service_of(config, "d")->health_check.type, CONFIG_CHECK_EXEC);
    config_unref(config);
}

static void orders(void **state) {
    const Config *config =
        read_text("/p/muster.yaml", "services:\n"
                                    "  a: {command: x, depends_on: [b]}\n"
                                    "  b: {command: x, depends_on: [c]}\n"
                                    "  c: {command: x, start_order: 7}\n"
                                    "  d: {command: x, depends_on: {c: {kind: optional}}}\n"
                                    "  e: {command: x, start_order: 8, depends_on: [a]}\n");
    assert_int_equal(service_of(config, "a")->start_order, 7);
    assert_int_equal(service_of(config, "d")->start_order, 0);
    config_unref(config);
}

/* ---- values and differences ---- */

typedef struct Found {
    const char *path;
    int32_t source, line, column;
    bool secret;
    char value[64], written[64];
    size_t all;
} Found;

static void find_value(void *owner, const RtConfigurationValue *value) {
    Found *found = owner;
    found->all++;
    if (!span_equal(value->path, span_of(found->path)))
        return;
    found->source = value->source;
    found->line = value->line;
    found->column = value->column;
    found->secret = value->secret;
    snprintf(found->value, sizeof found->value, "%.*s", SPAN_ARGS(value->value));
    snprintf(found->written, sizeof found->written, "%.*s", SPAN_ARGS(value->written));
}

static Found value_of(const Config *config, const char *path) {
    Found found = {.path = path};
    config_values(config, (Span){0}, find_value, &found);
    return found;
}

static void origins(void **state) {
    const Config *config =
        read_text("/p/muster.yaml", "project: shop\n"
                                    "services:\n"
                                    "  a:\n"
                                    "    command: [x, hunter22]\n"
                                    "    description: ${LEVEL}!\n"
                                    "    restart: always\n"
                                    "    secrets: {KEY: hunter22}\n"
                                    "    env: {A: 1}\n"
                                    "    ports: {web: auto}\n"
                                    "    stop: {command: 'echo $PID $${X} $$ ${PORT}'}\n");
    Found found = value_of(config, "services.a.description");
    assert_string_equal(found.value, "\"debug!\"");
    assert_string_equal(found.written, "${LEVEL}!");
    assert_int_equal(found.line, 5);
    assert_int_equal(found.column, 18);
    assert_int_equal(found.source, RT_CONFIGURATION_SOURCE_FILE);
    found = value_of(config, "services.a.restart.policy");
    assert_string_equal(found.value, "\"always\"");
    assert_int_equal(found.line, 6);
    found = value_of(config, "services.a.stop.timeout");
    assert_string_equal(found.value, "\"10s\"");
    assert_int_equal(found.source, RT_CONFIGURATION_SOURCE_DEFAULT);
    found = value_of(config, "services.a.env.KEY");
    assert_true(found.secret);
    assert_string_equal(found.value, "\"***\"");
    found = value_of(config, "services.a.command");
    assert_string_equal(found.value, "\"***\"");
    found = value_of(config, "services.a.env.A");
    assert_int_equal(found.line, 8);
    assert_string_equal(value_of(config, "project").value, "\"shop\"");
    assert_string_equal(value_of(config, "services.a.stop.command").value,
                        "\"echo $PID $${X} $ ${PORT}\"");
    Found none = {.path = "x"};
    config_values(config, SPAN("nobody"), find_value, &none);
    assert_int_equal(none.all, 0);
    config_unref(config);
}

static void differences(void **state) {
    const Config *before = read_text("/p/muster.yaml", "services:\n"
                                                       "  same: {command: x}\n"
                                                       "  gone: {command: x}\n"
                                                       "  slower: {command: x}\n"
                                                       "  other: {command: x, env: {A: 1}}\n");
    const Config *after =
        read_text("/p/muster.yaml", "# moved\nservices:\n"
                                    "  fresh: {command: x}\n"
                                    "  same: {max_retries: 3, command: [x]}\n"
                                    "  slower: {command: x, restart: {initial: 3s}}\n"
                                    "  other: {command: y, env: {A: 2}}\n");
    Arena arena = {0};
    const RtServiceChange *changes;
    assert_int_equal(config_diff(before, after, &arena, &changes), 4);
    assert_span(changes[0].service_name, "gone");
    assert_int_equal(changes[0].type, RT_SERVICE_CHANGE_TYPE_REMOVED);
    assert_span(changes[1].service_name, "fresh");
    assert_int_equal(changes[1].type, RT_SERVICE_CHANGE_TYPE_ADDED);
    assert_int_equal(changes[2].type, RT_SERVICE_CHANGE_TYPE_UPDATED);
    assert_int_equal(changes[2].paths.count, 1);
    assert_span(changes[2].paths.items[0], "restart.initial");
    assert_int_equal(changes[3].type, RT_SERVICE_CHANGE_TYPE_RESTARTED);
    assert_int_equal(changes[3].paths.count, 2);
    assert_int_equal(config_diff(NULL, after, &arena, &changes), 4);
    assert_int_equal(config_diff(after, after, &arena, &changes), 0);
    arena_done(&arena);
    config_unref(before);
    config_unref(after);
}

static void finding(void **state) {
    Kit kit = {0};
    ConfigWorld world = {&kit, kit_read, kit_variable};
    Buf path = {0};
    kit_add(&kit, "/a/configs/services.toml", SPAN("x"));
    kit_add(&kit, "/a/b/config.yaml", SPAN("x"));
    assert_int_equal(config_find(&world, SPAN("/a/b/c"), &path), 0);
    assert_span(buf_span(&path), "/a/b/config.yaml");
    buf_clear(&path);
    assert_int_equal(config_find(&world, SPAN("/a"), &path), 0);
    assert_span(buf_span(&path), "/a/configs/services.toml");
    assert_int_equal(config_find(&world, SPAN("/x/y"), &path), -ENOENT);
    buf_done(&path);
}

static void texts_in_place_of_files(void **state) {
    Kit kit = {0};
    ConfigWorld world = {&kit, kit_read, kit_variable};
    RtConfigurationFile file = {.path = SPAN("/p/muster.yaml"),
                                .text = SPAN("services: {a: {command: x}}")};
    Span listen[] = {SPAN("127.0.0.1:0")};
    ConfigOptions options = {.world = &world,
                             .files = &file,
                             .file_count = 1,
                             .data = SPAN("/d"),
                             .listen = {listen, 1},
                             .number = 7};
    const Config *config;
    ConfigReport report = {0};
    assert_int_equal(config_read(&options, &config, &report), 0);
    assert_span(config->data, "/d");
    assert_span(config->listen.items[0], "127.0.0.1:0");
    assert_int_equal(config->number, 7);
    assert_span(config_nearest(config, SPAN("b")), "");
    Config *again = config_ref(config);
    config_unref(config);
    assert_span(again->services.items[0].name, "a");
    config_unref(again);
    config_report_done(&report);
    file.text = (Span){0};
    assert_int_equal(config_read(&options, &config, &report), -EINVAL);
    assert_int_equal(report.errors, 1);
    config_report_done(&report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_in_every_format),
        cmocka_unit_test(defaults),
        cmocka_unit_test(the_specifications_examples),
        cmocka_unit_test(russells_services),
        cmocka_unit_test(commands),
        cmocka_unit_test(filling),
        cmocka_unit_test(variables),
        cmocka_unit_test(merging),
        cmocka_unit_test(brief_forms),
        cmocka_unit_test(orders),
        cmocka_unit_test(origins),
        cmocka_unit_test(differences),
        cmocka_unit_test(finding),
        cmocka_unit_test(texts_in_place_of_files),
    };
    return cmocka_run_group_tests_name("config/config", tests, NULL, NULL);
}
