/* The floor: posix_spawn(3) and a pipe, kept by nobody. */
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "keeper_workload.h"

extern char **environ;

static pid_t start(char *const *words, int output) {
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    if (output >= 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1);
    if (posix_spawnp(&pid, words[0], &actions, NULL, words, environ) != 0)
        exit(1);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

int main(int argc, char **argv) {
    if (argc > 1)
        return write_lines();
    char *const sleep_words[] = {"sleep", "1000", NULL};
    pid_t pids[PROCESSES];
    int64_t begun = now_ns();
    for (int i = 0; i < PROCESSES; i++)
        pids[i] = start(sleep_words, -1);
    report("100 processes started", "ms", (double)(now_ns() - begun) / 1e6);
    begun = now_ns();
    for (int i = 0; i < PROCESSES; i++)
        kill(pids[i], SIGTERM);
    for (int i = 0; i < PROCESSES; i++)
        waitpid(pids[i], NULL, 0);
    report("100 processes ended", "ms", (double)(now_ns() - begun) / 1e6);
    static char block[65536];
    char *const lines_words[] = {argv[0], "lines", NULL};
    int ends[2];
    if (pipe(ends) != 0)
        return 1;
    begun = now_ns();
    pid_t pid = start(lines_words, ends[1]);
    close(ends[1]);
    while (read(ends[0], block, sizeof block) > 0)
        continue;
    report("output", "lines/s", LINES / ((double)(now_ns() - begun) / 1e9));
    waitpid(pid, NULL, 0);
    return 0;
}
