/* The kernel, its limits, and the ways of the machine. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/doctor.h"

/* Reads the beginning of a file; its length, or a negative errno. */
static ssize_t read_start(const char *path, char *out, size_t room) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t len = read(fd, out, room - 1);
    int error = errno;
    close(fd);
    if (len < 0)
        return -error;
    out[len] = 0;
    return len;
}

/* ---- kernel ---- */

static bool has_pidfd(void) {
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* The keeper is run from memory. */
static bool has_executable_memfd(void) {
    char noexec[8];
    int fd = memfd_create("muster-doctor", MFD_CLOEXEC);
    if (fd < 0)
        return false;
    close(fd);
    ssize_t len = read_start("/proc/sys/vm/memfd_noexec", noexec, sizeof noexec);
    return len <= 0 || noexec[0] != '2';
}

void doctor_check_kernel(Doctor *doctor) {
    struct utsname name;
    uname(&name);
    int subreaper;
    const char *missing = !has_pidfd()              ? "pidfd_open (Linux 5.3)"
                          : !has_executable_memfd() ? "memfd_create, with leave to execute"
                          : prctl(PR_GET_CHILD_SUBREAPER, &subreaper) ? "PR_SET_CHILD_SUBREAPER"
                                                                      : NULL;
    if (!missing) {
        doctor_finding(doctor, "kernel", FINDING_GOOD, "%s %s: pidfd, memfd, subreaper",
                       name.sysname, name.release);
        return;
    }
    Finding *finding = doctor_finding(doctor, "kernel", FINDING_BAD, "%s %s lacks %s", name.sysname,
                                      name.release, missing);
    doctor_remedy(finding, "use Linux 5.10 or newer; in a container, let its seccomp profile allow "
                           "the call; sysctl vm.memfd_noexec must not be 2");
}

void doctor_check_proc(Doctor *doctor) {
    static const char *const FILES[] = {"/proc/self/stat", "/proc/self/fd",
                                        "/proc/sys/kernel/random/boot_id", "/proc/net/tcp"};
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        if (access(FILES[i], R_OK) == 0)
            continue;
        Finding *finding =
            doctor_finding(doctor, "proc", FINDING_BAD, "%s: %s", FILES[i], strerror(errno));
        doctor_remedy(finding, "mount it: mount -t proc proc /proc");
        return;
    }
    doctor_finding(doctor, "proc", FINDING_GOOD, "/proc is readable");
}

void doctor_check_cgroup(Doctor *doctor) {
    char text[4096], path[4400];
    if (access("/sys/fs/cgroup/cgroup.controllers", R_OK) < 0) {
        Finding *finding =
            doctor_finding(doctor, "cgroup", FINDING_ODD,
                           "no cgroup v2: limits on memory and processors do not hold for trees");
        doctor_remedy(finding, "boot with systemd.unified_cgroup_hierarchy=1");
        return;
    }
    const char *own = NULL;
    if (read_start("/proc/self/cgroup", text, sizeof text) > 0)
        own = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    own = own ? strchr(own, '/') : NULL;
    snprintf(path, sizeof path, "/sys/fs/cgroup%.*s", own ? (int)strcspn(own, "\n") : 0,
             own ? own : "");
    if (access(path, W_OK) == 0) {
        doctor_finding(doctor, "cgroup", FINDING_GOOD, "cgroup v2, writable: %s", path);
        return;
    }
    Finding *finding = doctor_finding(doctor, "cgroup", FINDING_ODD,
                                      "%s is not writable: limits on memory and processors do not "
                                      "hold for trees",
                                      path);
    doctor_remedy(finding, "run it as a service of systemd with Delegate=yes: see muster unit");
}

/* ---- limits ---- */

static void check_files(Doctor *doctor) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    unsigned long long soft = limit.rlim_cur;
    FindingState state = soft < 256 ? FINDING_BAD : soft < 1024 ? FINDING_ODD : FINDING_GOOD;
    Finding *finding = doctor_finding(doctor, "open files", state, "at most %llu open files", soft);
    if (state != FINDING_GOOD)
        doctor_remedy(finding, "ulimit -n 65536, or LimitNOFILE= of the unit");
}

static void check_processes(Doctor *doctor) {
    struct rlimit limit;
    getrlimit(RLIMIT_NPROC, &limit);
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= 512) {
        doctor_finding(doctor, "processes", FINDING_GOOD, "enough processes are allowed");
        return;
    }
    Finding *finding = doctor_finding(doctor, "processes", FINDING_ODD, "at most %llu processes",
                                      (unsigned long long)limit.rlim_cur);
    doctor_remedy(finding, "ulimit -u 4096");
}

static void check_watches(Doctor *doctor) {
    char text[32];
    uint64_t count = 0;
    ssize_t len = read_start("/proc/sys/fs/inotify/max_user_watches", text, sizeof text);
    bool known = len > 0 && parse_u64(span(text, (size_t)len - (text[len - 1] == '\n')), &count);
    if (known && count >= 8192) {
        doctor_finding(doctor, "file watches", FINDING_GOOD, "%llu inotify watches",
                       (unsigned long long)count);
        return;
    }
    Finding *finding = doctor_finding(
        doctor, "file watches", FINDING_ODD,
        "%llu inotify watches: restarts on changed files may be missed", (unsigned long long)count);
    doctor_remedy(finding, "sysctl fs.inotify.max_user_watches=65536");
}

void doctor_check_limits(Doctor *doctor) {
    check_files(doctor);
    check_processes(doctor);
    check_watches(doctor);
}

/* ---- ways of the machine ---- */

void doctor_check_terminal(Doctor *doctor) {
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0) {
        doctor_finding(doctor, "terminals", FINDING_GOOD, "services can have terminals");
    } else {
        Finding *finding = doctor_finding(doctor, "terminals", FINDING_ODD,
                                          "no pseudo terminals: %s: services with tty: true fail",
                                          strerror(errno));
        doctor_remedy(finding, "mount them: mount -t devpts devpts /dev/pts");
    }
    if (fd >= 0)
        close(fd);
}

void doctor_check_shell(Doctor *doctor) {
    if (access("/bin/sh", X_OK) == 0) {
        doctor_finding(doctor, "shell", FINDING_GOOD, "/bin/sh");
        return;
    }
    Finding *finding = doctor_finding(doctor, "shell", FINDING_ODD, "/bin/sh: %s", strerror(errno));
    doctor_remedy(finding, "install a shell, or write commands as lists");
}

void doctor_check_memory(Doctor *doctor) {
    char text[4096];
    const char *line = NULL;
    if (read_start("/proc/meminfo", text, sizeof text) > 0)
        line = strstr(text, "MemAvailable:");
    long long kilobytes = line ? atoll(line + strlen("MemAvailable:")) : -1;
    if (kilobytes < 0 || kilobytes >= 64 * 1024) {
        doctor_finding(doctor, "memory", FINDING_GOOD, "%lld MB available",
                       kilobytes < 0 ? 0 : kilobytes / 1024);
        return;
    }
    Finding *finding =
        doctor_finding(doctor, "memory", FINDING_ODD, "%lld MB available", kilobytes / 1024);
    doctor_remedy(finding, "end what is not needed");
}

void doctor_check_clock(Doctor *doctor) {
    char now[RFC3339_MAX];
    Nanos wall = clock_wall();
    size_t len = format_rfc3339(now, wall / NANOS_PER_SECOND, 0, 0);
    /* A clock that has never been set begins in 1970 or at the date of the system's image. */
    if (wall < INT64_C(1735689600) * NANOS_PER_SECOND) { /* 2025-01-01 */
        Finding *finding = doctor_finding(
            doctor, "clock", FINDING_ODD,
            "it says %.*s: tokens, certificates and logs need the right time", (int)len, now);
        doctor_remedy(finding, "timedatectl set-ntp true");
        return;
    }
    struct timex state = {0};
    bool adrift = adjtimex(&state) == TIME_ERROR;
    doctor_finding(doctor, "clock", FINDING_GOOD, "%.*s%s", (int)len, now,
                   adrift ? ", not kept right by NTP" : "");
}

void doctor_check_locale(Doctor *doctor) {
    static const char *const NAMES[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    const char *value = NULL;
    for (size_t i = 0; i < 3 && !(value && *value); i++)
        value = getenv(NAMES[i]);
    if (value && (strcasestr(value, "utf-8") || strcasestr(value, "utf8"))) {
        doctor_finding(doctor, "locale", FINDING_GOOD, "%s", value);
        return;
    }
    Finding *finding = doctor_finding(doctor, "locale", FINDING_ODD,
                                      "%s is not UTF-8: services may print '?' for what is not "
                                      "ASCII",
                                      value && *value ? value : "none is set, which");
    doctor_remedy(finding, "export LANG=C.UTF-8");
}
