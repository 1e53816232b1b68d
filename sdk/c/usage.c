#include <dirent.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

/* Resident pages and threads, by proc(5). */
static bool read_stat(int64_t *ret_memory, int *ret_threads) {
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file)
        return false;
    long long pages = 0;
    /* What stands in brackets is the program's name, which may hold anything but ')'… and does not:
     * this is our own process. */
    int found = fscanf(file,
                       "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
                       "%*d %*d %d %*d %*u %*u %lld",
                       ret_threads, &pages);
    fclose(file);
    *ret_memory = pages * sysconf(_SC_PAGESIZE);
    return found == 2;
}

static int open_files(void) {
    DIR *folder = opendir("/proc/self/fd");
    int count = -3; /* ".", ".." and the folder itself */
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

void mu_usage_put(Muster *muster, Bytes *metrics) {
    int64_t cpu = mu_clock_ns(CLOCK_PROCESS_CPUTIME_ID), now = mu_clock_ns(CLOCK_MONOTONIC), memory;
    int threads, files = open_files();
    if (muster->cpu_at_ns && now > muster->cpu_at_ns)
        mu_put_double(metrics, 1,
                      100.0 * (double)(cpu - muster->cpu_ns) / (double)(now - muster->cpu_at_ns));
    muster->cpu_ns = cpu;
    muster->cpu_at_ns = now;
    if (read_stat(&memory, &threads)) {
        mu_put_number_always(metrics, 2, memory);
        mu_put_number_always(metrics, 3, threads);
    }
    if (files >= 0)
        mu_put_number_always(metrics, 4, files);
    mu_put_number_always(metrics, 5, muster->in_flight);
}
