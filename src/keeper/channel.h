/* One end of a connection over keeper.sock: frames (wire.h) with descriptors, in and out. Used by
 * the keeper, which never waits, and by its clients. */
#pragma once

#include <sys/types.h>

#include "base/array.h"
#include "keeper/wire.h"

#define CHANNEL_FDS_MAX 256 /* received descriptors that wait for their frame */

/* Descriptors that leave with the byte at `at` of what is queued. */
typedef struct Parcel {
    size_t at;
    unsigned count;
    int fds[WIRE_FDS_MAX];
} Parcel;

typedef struct Channel {
    int fd;
    Buf out;     /* frames are added here, by the functions of wire.h */
    size_t sent; /* of out */
    ARRAY(Parcel) parcels;
    Buf in;
    size_t taken;   /* of in */
    ARRAY(int) fds; /* received */
    unsigned fds_taken;
} Channel;

/* The descriptor stays who made it's to close. */
void channel_init(Channel *channel, int fd);
/* Closes all descriptors that are on their way. */
void channel_done(Channel *channel);

/* Duplicates descriptors to go with the frame that is begun next. */
void channel_attach(Channel *channel, const int *fds, unsigned count);
/* Sends what the kernel takes: the number of bytes that are left, or a negative errno. Does not
 * wait. */
ssize_t channel_send(Channel *channel);

/* Reads what is there: 1 when something came, 0 at the end, a negative errno (-EAGAIN; -EPROTO: too
 * many descriptors). With `wait` it waits, if the descriptor does. */
int channel_receive(Channel *channel, bool wait);
/* The next frame that is there as a whole: 1, 0 for none, -EPROTO. It is valid until the next
 * channel_receive; its descriptors until the next channel_next, which closes them: set to -1 what
 * is to stay. */
int channel_next(Channel *channel, WireFrame *ret_frame, int **ret_fds);
