/* Output on its way from a pipe or terminal into its ring. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "keeper/keeper.h"

/* What one turn reads of one stream, so that a flood does not starve the others. */
#define PIECE  (256 * 1024)
#define ROUNDS 4

/* How often a stream without room is emptied once patience has ended: it bounds what dropping
 * costs us. */
#define DROP_PAUSE (20 * NANOS_PER_MILLI)

static Keeper *keeper_of(const Output *output) {
    return output->process->keeper;
}

static void look(Output *output, bool reading) {
    watch_change(keeper_of(output), &output->watch, reading ? EPOLLIN : 0);
}

/* Nobody has our stream open for writing. A terminal may be opened again as long as its process
 * lives. */
static void hang_up(Output *output) {
    if (output->stream != PROCESS_TERMINAL || output->process->exit.ended)
        output_end(output);
    else
        look(output, false);
}

void output_end(Output *output) {
    watch_close(keeper_of(output), &output->watch);
    list_remove(&output->waiting);
    if (output->ring.header && !output->ring.header->closed && ring_close(&output->ring))
        tell_output(output);
}

void output_done(Output *output) {
    watch_close(keeper_of(output), &output->watch);
    list_remove(&output->waiting);
    ring_unmap(&output->ring);
    if (output->memory >= 0)
        close(output->memory);
}

/* Waits for the reader, with patience or, when that has ended, until the next time to drop. */
static void wait_for_room(Output *output) {
    look(output, false);
    output->until =
        keeper_now() + (output->dropping ? DROP_PAUSE : RING_PATIENCE * NANOS_PER_MILLI);
    list_remove(&output->waiting);
    list_push_back(&keeper_of(output)->waiting, &output->waiting);
}

/* There is no number of bytes: the end, or nothing. True when there is something after all. */
static bool look_closer(Output *output) {
    struct pollfd look = {.fd = output->watch.fd, .events = POLLIN};
    if (poll(&look, 1, 0) <= 0)
        return false;
    if (look.revents & POLLIN)
        return true;
    hang_up(output);
    return false;
}

/* One read; false when there is nothing more to read now. */
static bool pump_once(Output *output) {
    struct iovec room[2];
    int ready = 0;
    if (ioctl(output->watch.fd, FIONREAD, &ready) != 0 || ready <= 0)
        return look_closer(output);
    size_t bytes = ring_room(&output->ring, ready < PIECE ? (size_t)ready : PIECE, room);
    if (!bytes) {
        if (!ring_wait(&output->ring))
            return true;
        wait_for_room(output);
        return false;
    }
    ring_expect(&output->ring, room, bytes);
    ssize_t got = readv(output->watch.fd, room, 2);
    if (ring_append(&output->ring, got > 0 ? (size_t)got : 0))
        tell_output(output);
    if (got > 0)
        output->dropping = false;
    return got > 0;
}

void output_pump(Output *output) {
    if (!list_empty(&output->waiting))
        return;
    for (int i = 0; i < ROUNDS && output->watch.fd >= 0 && pump_once(output); i++)
        continue;
}

static void on_output(Watch *watch, uint32_t events) {
    output_pump(CONTAINER(watch, Output, watch));
}

void output_open(Output *output, int fd) {
    output->watch = (Watch){on_output, fd};
    watch_add(keeper_of(output), &output->watch, EPOLLIN);
}

/* ---- waiting for room ---- */

static void resume(Output *output) {
    list_remove(&output->waiting);
    look(output, true);
}

void outputs_resume(Keeper *keeper) {
    LIST_EACH (&keeper->waiting, link) {
        Output *output = CONTAINER(link, Output, waiting);
        struct iovec room[2];
        if (ring_room(&output->ring, 1, room))
            resume(output);
    }
}

/* Nobody has taken anything for too long: what waits in the pipe goes, so that the service can. */
static void drop(Output *output) {
    static char scrap[64 * 1024];
    ssize_t got = read(output->watch.fd, scrap, sizeof scrap);
    if (got > 0) {
        output->dropping = true;
        ring_drop(&output->ring, (uint64_t)got);
        wait_for_room(output);
    } else {
        resume(output);
    }
}

void outputs_expire(Keeper *keeper, Nanos now) {
    LIST_EACH (&keeper->waiting, link) {
        Output *output = CONTAINER(link, Output, waiting);
        struct iovec room[2];
        if (output->until > now)
            continue;
        if (ring_room(&output->ring, 1, room))
            resume(output);
        else
            drop(output);
    }
}

Nanos outputs_deadline(const Keeper *keeper) {
    Nanos first = INT64_MAX;
    LIST_EACH (&keeper->waiting, link) {
        Nanos until = CONTAINER(link, Output, waiting)->until;
        if (until < first)
            first = until;
    }
    return first;
}
