/* The same entries by write(2) into one file, a megabyte at a time, as often synced: what the disk
 * and the kernel take. The argument is a folder. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "store_workload.h"

#define BUFFER (1024 * 1024)

static char buffer[BUFFER + ENTRY_SIZE], entries[POOL][ENTRY_SIZE];

static void flush(int fd, size_t *len) {
    if (write(fd, buffer, *len) != (ssize_t)*len)
        exit(1);
    *len = 0;
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    char path[300];
    snprintf(path, sizeof path, "%s/plain", argv[1]);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    size_t len = 0;
    entries_make(entries);
    int64_t begin = now_ns(), cpu = cpu_ns();
    for (int64_t i = 0; i < ENTRIES; i++) {
        memcpy(buffer + len, entries[i % POOL], ENTRY_SIZE);
        len += ENTRY_SIZE;
        bool sync = i % SYNC_EVERY == 0;
        if (len >= BUFFER || sync)
            flush(fd, &len);
        if (sync && fdatasync(fd) < 0)
            exit(1);
    }
    flush(fd, &len);
    if (fdatasync(fd) < 0)
        exit(1);
    report_entries(begin, cpu);
    close(fd);
    return 0;
}
