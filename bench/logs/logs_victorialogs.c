/* Logs: the same entries in VictoriaLogs, sent as lines of JSON over two connections at a time, asked
 * for in LogsQL. usage: logs_victorialogs SERVER [ENTRIES], where SERVER is its program. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "logs_workload.h"

#define SENDERS   2
#define BODY_SIZE (1024 * 1024)

static uint16_t free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&address, size) || getsockname(fd, (void *)&address, &size))
        exit(1);
    close(fd);
    return ntohs(address.sin_port);
}

static int connect_to(uint16_t port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(port)};
    for (int i = 0; i < 1000; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
            return fd;
        close(fd);
        usleep(10000);
    }
    fprintf(stderr, "the server does not listen\n");
    exit(1);
}

static void write_all(int fd, Span bytes) {
    while (bytes.len) {
        ssize_t put = write(fd, bytes.ptr, bytes.len);
        if (put <= 0)
            exit(1);
        bytes = span_skip(bytes, (size_t)put);
    }
}

/* One request on a connection of its own. The response, to its end. */
static void ask(uint16_t port, Span path, Span body, Buf *out) {
    Buf head = {0};
    int fd = connect_to(port);
    buf_printf(&head, "POST %.*s HTTP/1.0\r\ncontent-length: %zu\r\n\r\n", SPAN_ARGS(path),
               body.len);
    write_all(fd, buf_span(&head));
    write_all(fd, body);
    buf_clear(out);
    for (ssize_t got = 1; got > 0; out->len += (size_t)got) {
        got = read(fd, buf_reserve(out, 65536), 65536);
        if (got <= 0)
            break;
    }
    close(fd);
    buf_done(&head);
    if (out->len < 12 || out->ptr[9] != '2') {
        fprintf(stderr, "%.*s: %.*s\n", SPAN_ARGS(path), SPAN_ARGS(buf_span(out)));
        exit(1);
    }
}

/* ---- taken over ---- */

static void add_entry(size_t n, Buf *out) {
    WorkEntry entry;
    work_entry(n, &entry);
    buf_printf(out,
               "{\"_time\":%zu,\"_msg\":\"%s\",\"service\":\"%s\",\"level\":\"%d\","
               "\"request\":\"%s\"}\n",
               (size_t)1767225600000 + n / 100, entry.message, entry.service, entry.level,
               entry.request);
}

/* A process that sends every SENDERSth body once it may. */
static int sender(uint16_t port, size_t count, size_t which, int ready, int go) {
    int pid = fork();
    if (pid)
        return pid;
    Buf bodies = {0}, out = {0};
    size_t ends[65536], bodies_count = 0;
    for (size_t n = count * which / SENDERS; n < count * (which + 1) / SENDERS; n++) {
        size_t begin = bodies_count ? ends[bodies_count - 1] : 0;
        add_entry(n, &bodies);
        if (bodies.len - begin >= BODY_SIZE)
            ends[bodies_count++] = bodies.len;
    }
    ends[bodies_count++] = bodies.len;
    char byte = 0;
    if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
        _exit(1);
    for (size_t i = 0; i < bodies_count; i++) {
        size_t begin = i ? ends[i - 1] : 0;
        ask(port, SPAN("/insert/jsonline?_stream_fields=service"),
            span(bodies.ptr + begin, ends[i] - begin), &out);
    }
    _exit(0);
}

static void send_all(uint16_t port, size_t count) {
    int ready[2], go[2], pids[SENDERS], status;
    char bytes[SENDERS] = {0};
    if (pipe(ready) || pipe(go))
        exit(1);
    for (size_t i = 0; i < SENDERS; i++)
        pids[i] = sender(port, count, i, ready[1], go[0]);
    for (size_t i = 0; i < SENDERS; i++)
        if (read(ready[0], bytes, 1) != 1)
            exit(1);
    int64_t begin = now_ns();
    if (write(go[1], bytes, SENDERS) != SENDERS)
        exit(1);
    for (size_t i = 0; i < SENDERS; i++)
        if (waitpid(pids[i], &status, 0) != pids[i] || status)
            exit(1);
    report("ingest", "entries/s", (double)count / (double)(now_ns() - begin) * 1e9);
}

/* ---- searched ---- */

static void add_escaped(Buf *out, const char *text) {
    for (; *text; text++)
        buf_printf(out, "%%%02x", (unsigned char)*text);
}

static size_t search_once(uint16_t port, const char *query, Buf *out) {
    Buf path = {0};
    size_t lines = 0;
    buf_add_literal(&path, "/select/logsql/query?query=");
    add_escaped(&path, query);
    ask(port, buf_span(&path), (Span){0}, out);
    for (size_t i = 0; i < out->len; i++)
        lines += out->ptr[i] == '\n' && i && out->ptr[i - 1] == '}';
    buf_done(&path);
    return lines;
}

static void search(uint16_t port, const char *what, const char *query, size_t expected) {
    Buf out = {0};
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        int64_t begin = now_ns();
        size_t found = search_once(port, query, &out);
        double took = (double)(now_ns() - begin) / 1e6;
        best = took < best ? took : best;
        if (found < expected) {
            fprintf(stderr, "%s: %zu instead of %zu\n", query, found, expected);
            exit(1);
        }
    }
    report(what, "ms", best);
    buf_done(&out);
}

static void search_all(uint16_t port, size_t count) {
    WorkEntry some;
    char query[256];
    work_entry(count / 2, &some);
    search(port, "text, 10 of them", "deadlock | limit 1000", count / 100000);
    search(port, "text, all 1000 of them", "\"upstream timeout\" | limit 1000", count / 1000);
    search(port, "text, none there", "\"kernel panic\" | limit 1000", 0);
    snprintf(query, sizeof query, "\"%.16s\" | limit 1000", strstr(some.message, "trace=") + 6);
    search(port, "identifier in the text", query, 1);
    snprintf(query, sizeof query, "request:=\"%s\" | limit 1000", some.request);
    search(port, "correlation id", query, PER_REQUEST);
    search(port, "latest 1000 errors of a service",
           "{service=\"service-07\"} level:>=4 | sort by (_time desc) limit 1000", 0);
    search(port, "latest 1000 of a service",
           "{service=\"service-07\"} | sort by (_time desc) limit 1000", count < 100000 ? 0 : 1000);
    search(port, "latest 10000 of a quiet service",
           "{service=\"service-quiet\"} | sort by (_time desc) limit 10000", QUIET);
    search(port, "regular expression, all", "~\"dead[a-z]+ detected\" | limit 1000",
           count / 100000);
    search(port, "histogram of everything", "* | stats by (_time:167ms, level) count()", 1);
}

static double folder_bytes(const char *folder) {
    char command[128];
    double bytes = 0;
    snprintf(command, sizeof command, "du -sb %s", folder);
    FILE *out = popen(command, "r");
    if (!out || fscanf(out, "%lf", &bytes) != 1)
        exit(1);
    pclose(out);
    return bytes;
}

/* Its bytes once nothing is merged any more. */
static double settled_bytes(const char *folder) {
    double bytes = -1;
    for (int quiet = 0; quiet < 3; sleep(1)) {
        double before = bytes;
        bytes = folder_bytes(folder);
        quiet = bytes == before ? quiet + 1 : 0;
    }
    return bytes;
}

int main(int argc, char **argv) {
    size_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : ENTRIES;
    char folder[] = "/tmp/muster-bench-XXXXXX", path[64], listen[64], command[64];
    if (argc < 2 || !mkdtemp(folder))
        return 1;
    uint16_t port = free_port();
    snprintf(path, sizeof path, "-storageDataPath=%s", folder);
    snprintf(listen, sizeof listen, "-httpListenAddr=127.0.0.1:%d", port);
    int server = fork();
    if (server == 0) {
        execl(argv[1], argv[1], path, listen, "-retentionPeriod=100y", "-loggerLevel=ERROR", NULL);
        _exit(1);
    }
    Buf out = {0};
    close(connect_to(port));
    send_all(port, count);
    ask(port, SPAN("/internal/force_flush"), (Span){0}, &out);
    ask(port, SPAN("/internal/force_merge"), (Span){0}, &out);
    report("on the disk, an entry", "bytes", settled_bytes(folder) / (double)count);
    search_all(port, count);
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    buf_done(&out);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) ? 1 : 0;
}
