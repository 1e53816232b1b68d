/* The data folder and the port. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "os/machine.h"
#include "os/stream.h"

#define DEFAULT_ADDRESS "127.0.0.1:50051"
#define DEFAULT_PORT    50051

/* ---- the folder ---- */

/* The folder itself or, where it is not made yet, the one it will stand in. */
static void existing_folder(const Doctor *doctor, char *out, size_t room) {
    snprintf(out, room, "%s", doctor->data_folder);
    if (access(out, F_OK) == 0)
        return;
    char *slash = strrchr(out, '/');
    if (slash)
        slash[slash == out] = 0;
    else
        snprintf(out, room, ".");
}

static int try_writing(const char *folder) {
    char path[4200];
    snprintf(path, sizeof path, "%s/.muster-doctor.XXXXXX", folder);
    int fd = mkstemp(path);
    if (fd < 0)
        return -errno;
    int error = write(fd, "x", 1) == 1 && fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    unlink(path);
    return error;
}

static const char *remedy_for(int error) {
    switch (error) {
    case EROFS:
        return "mount it for writing";
    case ENOSPC:
    case EDQUOT:
        return "make room on its disk";
    case EIO:
        return "have its disk looked at";
    default:
        return "chown it to yourself";
    }
}

void doctor_check_folder(Doctor *doctor) {
    char folder[4096];
    existing_folder(doctor, folder, sizeof folder);
    struct stat about;
    if (stat(folder, &about) < 0 || !S_ISDIR(about.st_mode)) {
        Finding *finding =
            doctor_finding(doctor, "data folder", FINDING_BAD, "%s is not a folder", folder);
        doctor_remedy(finding, "name another with --data DIR");
        return;
    }
    int error = try_writing(folder);
    if (error < 0) {
        Finding *finding = doctor_finding(doctor, "data folder", FINDING_BAD,
                                          "%s cannot be written to: %s", folder, strerror(-error));
        doctor_remedy(finding, "%s, or name another with --data DIR", remedy_for(-error));
        return;
    }
    bool ours = strcmp(folder, doctor->data_folder) == 0;
    if (ours && (about.st_mode & 077)) {
        Finding *finding = doctor_finding(doctor, "data folder", FINDING_ODD,
                                          "%s may be read by others, and holds the token", folder);
        doctor_remedy(finding, "chmod 700 %s", folder);
        return;
    }
    doctor_finding(doctor, "data folder", FINDING_GOOD, "%s %s", doctor->data_folder,
                   ours ? "is writable" : "can be made");
}

static const char *remote_kind(long type) {
    switch (type) {
    case NFS_SUPER_MAGIC:
        return "NFS";
    case SMB_SUPER_MAGIC:
        return "SMB";
    case V9FS_MAGIC:
        return "9p";
    default:
        return NULL;
    }
}

#define MEGABYTE (1024 * 1024ULL)

void doctor_check_space(Doctor *doctor) {
    char folder[4096];
    existing_folder(doctor, folder, sizeof folder);
    struct statfs about;
    if (statfs(folder, &about) < 0)
        return; /* the folder's own check says why */
    const char *kind = remote_kind(about.f_type);
    if (kind) {
        Finding *finding = doctor_finding(
            doctor, "disk", FINDING_ODD,
            "%s is on %s, where locks and mapped files cannot be relied on", folder, kind);
        doctor_remedy(finding, "name a folder on a disk of this machine with --data DIR");
    }
    unsigned long long megabytes = about.f_bavail * (unsigned long long)about.f_bsize / MEGABYTE;
    FindingState state = megabytes < 32     ? FINDING_BAD
                         : megabytes < 1024 ? FINDING_ODD
                                            : FINDING_GOOD;
    Finding *finding = doctor_finding(doctor, "disk space", state, "%llu MB free", megabytes);
    if (state != FINDING_GOOD)
        doctor_remedy(finding, "make room, or name a folder on another disk with --data DIR");
}

/* ---- the port ---- */

static void ignore_stream(void *owner, Stream *stream) {
    (void)owner;
    stream_close(stream, 0);
}

static void tell_who_listens(Doctor *doctor) {
    MachineProcess process;
    char command[128] = "a process of somebody else";
    long long pid = 0;
    if (MACHINE.listener(DEFAULT_PORT, &process) == 0 && process.identity.pid) {
        machine_command_text(&process, command, sizeof command);
        pid = process.identity.pid;
    }
    const char *runtime = buf_cstr(&doctor->runtime);
    if (strstr(runtime, ":50051")) {
        doctor_finding(doctor, "port", FINDING_GOOD, "the runtime of this project listens: %s",
                       runtime);
        return;
    }
    Finding *finding = doctor_finding(doctor, "port", FINDING_ODD,
                                      DEFAULT_ADDRESS " is in use by %s (PID %lld)", command, pid);
    doctor_remedy(finding, "stop it, or choose another port with --listen HOST:PORT");
}

void doctor_check_port(Doctor *doctor) {
    World *world = world_new();
    Address address;
    Listener *listener;
    address_parse(SPAN(DEFAULT_ADDRESS), &address);
    int error = listener_open(world, &address, ignore_stream, NULL, &listener);
    if (error == 0)
        listener_close(listener);
    world_free(world);
    if (error == -EADDRINUSE) {
        tell_who_listens(doctor);
    } else if (error < 0) {
        Finding *finding =
            doctor_finding(doctor, "port", FINDING_BAD, DEFAULT_ADDRESS ": %s", strerror(-error));
        doctor_remedy(finding, "bring the loopback interface up: ip link set lo up");
    } else {
        doctor_finding(doctor, "port", FINDING_GOOD, DEFAULT_ADDRESS " is free");
    }
}
