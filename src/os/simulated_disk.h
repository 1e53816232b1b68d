/* A simulated disk: Files in memory, on which a test decides what fails and when the machine dies.
 *
 * What a program writes lands in a cache. It is durable from file_sync on, names from files_sync
 * of their folder on (one is enough for all folders). simulated_disk_crash is the power cut: of
 * everything else, some survives and some does not, by chance: of unsynced writes any subset of
 * 512-byte pieces, in no order; of unsynced changes of names, the first few. All from one seed.
 *
 * One thread. Nothing of this is kept outside of memory. */
#pragma once

#include "os/files.h"

typedef struct SimulatedDisk SimulatedDisk;

SimulatedDisk *simulated_disk_new(uint64_t seed);
/* No File of it is open any more. */
void simulated_disk_free(SimulatedDisk *disk);

Files *simulated_disk_files(SimulatedDisk *disk);

/* After `operations` more that change something (writes, syncs, truncations, names) every call
 * fails with -EIO, until the crash; the last write before may be torn. */
void simulated_disk_kill_after(SimulatedDisk *disk, uint64_t operations);
bool simulated_disk_is_dead(const SimulatedDisk *disk);

/* Dead or not: loses what may get lost, then works again. With `power` false only the program
 * died: all that was written is there. Files that are open stay open, and must only be closed. */
void simulated_disk_crash(SimulatedDisk *disk, bool power);

/* Chances that a call fails with -EIO, in a million. A sync that fails may have lost anything that
 * was not durable before, although reads still show it. */
void simulated_disk_fail(SimulatedDisk *disk, uint32_t writes, uint32_t syncs);

/* Room for content; writes and truncations beyond it get -ENOSPC. 0: without end. */
void simulated_disk_limit(SimulatedDisk *disk, int64_t bytes);

/* Operations that changed something so far. */
uint64_t simulated_disk_operations(const SimulatedDisk *disk);
