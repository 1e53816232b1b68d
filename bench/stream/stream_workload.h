/* An echo server of TCP in a process of its own, and a load for it: round trips over one and many
 * connections, and what an idle connection costs. The program gives `serve`, which listens at
 * 127.0.0.1, calls `ready` with the port, and echoes until the process is killed. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../measure.h"

static void serve(void (*ready)(uint16_t port));

#define SECONDS 1
#define IDLE    5000

static void expect(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(1);
    }
}

static int port_pipe[2];

static void ready(uint16_t port) {
    expect(write(port_pipe[1], &port, sizeof port) == sizeof port, "write");
}

/* On a processor of its own, where there are two. */
static void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static pid_t start_server(uint16_t *ret_port) {
    expect(pipe(port_pipe) == 0, "pipe");
    pid_t server = fork();
    if (server == 0) {
        pin(0);
        serve(ready);
        exit(1);
    }
    expect(read(port_pipe[0], ret_port, sizeof *ret_port) == sizeof *ret_port, "server");
    close(port_pipe[0]);
    close(port_pipe[1]);
    return server;
}

/* The processor's time that the server used. */
static double stop_server(pid_t server) {
    struct rusage usage;
    kill(server, SIGKILL);
    expect(wait4(server, NULL, 0, &usage) == server, "wait4");
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
}

static int dial(uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    expect(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect");
    return fd;
}

/* Sends a message on, or what comes back of it on again. */
static long bounce(int fd, char *bytes, size_t size, size_t *missing) {
    ssize_t got = recv(fd, bytes, *missing, 0);
    expect(got > 0, "recv");
    *missing -= (size_t)got;
    if (*missing)
        return 0;
    *missing = size;
    expect(send(fd, bytes, size, 0) == (ssize_t)size, "send");
    return 1;
}

static void round_trips(const char *measure, int connections, size_t size) {
    uint16_t port;
    pid_t server = start_server(&port);
    int epoll = epoll_create1(0);
    char *bytes = calloc(1, size), text[100];
    size_t *missing = calloc((size_t)connections + 64, sizeof *missing);
    for (int i = 0; i < connections; i++) {
        int fd = dial(port);
        expect(fd < connections + 64, "descriptors");
        missing[fd] = size;
        expect(epoll_ctl(epoll, EPOLL_CTL_ADD, fd,
                         &(struct epoll_event){.events = EPOLLIN, .data.fd = fd}) == 0,
               "epoll_ctl");
        expect(send(fd, bytes, size, 0) == (ssize_t)size, "send");
    }
    long count = 0;
    int64_t begin = now_ns(), now;
    while ((now = now_ns()) < begin + SECONDS * INT64_C(1000000000)) {
        struct epoll_event events[64];
        int ready_count = epoll_wait(epoll, events, 64, 1000);
        for (int i = 0; i < ready_count; i++)
            count += bounce(events[i].data.fd, bytes, size, &missing[events[i].data.fd]);
    }
    double used = stop_server(server);
    snprintf(text, sizeof text, "%s, server's CPU", measure);
    report(measure, "round trips/s", (double)count * 1e9 / (double)(now - begin));
    report(text, "ns/message", used / (double)count);
    for (int fd = 0; fd < connections + 64; fd++)
        if (missing[fd])
            close(fd);
    close(epoll);
    free(missing);
    free(bytes);
}

/* Memory of a process that is not shared with another, in bytes. */
static double private_bytes(pid_t process) {
    char path[64], line[256];
    double kilobytes = 0, part;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", process);
    FILE *file = fopen(path, "r");
    expect(file != NULL, path);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Private_Dirty: %lf kB", &part) == 1)
            kilobytes += part;
    fclose(file);
    return kilobytes * 1024;
}

static void idle_connections(void) {
    uint16_t port;
    struct rlimit limit = {IDLE + 100, IDLE + 100};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    pid_t server = start_server(&port);
    char byte = 'x';
    double before = 0;
    for (int i = 0; i <= IDLE; i++) { /* each is known to be served */
        int fd = dial(port);
        expect(send(fd, &byte, 1, 0) == 1 && recv(fd, &byte, 1, 0) == 1, "echo");
        if (i == 0)
            before = private_bytes(server);
    }
    report("an idle connection", "B", (private_bytes(server) - before) / IDLE);
    stop_server(server);
}

int main(void) {
    pin(1);
    round_trips("1 connection, 64 B", 1, 64);
    round_trips("50 connections, 64 B", 50, 64);
    round_trips("1 connection, 60 KB", 1, 60000);
    idle_connections();
    return 0;
}
