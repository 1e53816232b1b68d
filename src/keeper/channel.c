#include "keeper/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE      (64 * 1024)
#define KERNEL_FDS 253 /* SCM_MAX_FD */

void channel_init(Channel *channel, int fd) {
    *channel = (Channel){.fd = fd};
}

static void close_all(const int *fds, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

void channel_done(Channel *channel) {
    for (size_t i = 0; i < channel->parcels.count; i++)
        close_all(channel->parcels.items[i].fds, channel->parcels.items[i].count);
    close_all(channel->fds.items, channel->fds.count);
    array_done(&channel->parcels);
    array_done(&channel->fds);
    buf_done(&channel->in);
    buf_done(&channel->out);
}

/* ---- sending ---- */

void channel_attach(Channel *channel, const int *fds, unsigned count) {
    if (!count)
        return;
    Parcel *parcel = array_push(&channel->parcels);
    parcel->at = channel->out.len;
    parcel->count = count;
    for (unsigned i = 0; i < count; i++)
        parcel->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
}

/* One sendmsg: up to the next parcel, or beginning with it. */
static ssize_t send_piece(Channel *channel) {
    Parcel *first = channel->parcels.count ? channel->parcels.items : NULL;
    bool now = first && first->at == channel->sent;
    size_t end = channel->out.len;
    if (first && !now)
        end = first->at;
    else if (now && channel->parcels.count > 1)
        end = first[1].at;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(WIRE_FDS_MAX * sizeof(int))];
    } control;
    struct iovec piece = {channel->out.ptr + channel->sent, end - channel->sent};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (now) {
        size_t size = first->count * sizeof(int);
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        *head = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(size), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(head), first->fds, size);
    }
    ssize_t sent = sendmsg(channel->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0 && now) {
        close_all(first->fds, first->count);
        array_remove(&channel->parcels, 0, 1);
    }
    return sent;
}

ssize_t channel_send(Channel *channel) {
    while (channel->sent < channel->out.len) {
        ssize_t sent = send_piece(channel);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            return (ssize_t)(channel->out.len - channel->sent);
        if (sent < 0)
            return -errno;
        channel->sent += (size_t)sent;
    }
    channel->sent = 0;
    if (channel->out.cap > PIECE)
        buf_done(&channel->out);
    else
        buf_clear(&channel->out);
    return 0;
}

/* ---- receiving ---- */

static bool take_fds(Channel *channel, struct msghdr *message) {
    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++)
            memcpy(array_push(&channel->fds), CMSG_DATA(at) + i * sizeof(int), sizeof(int));
    }
    return !(message->msg_flags & MSG_CTRUNC) && channel->fds.count <= CHANNEL_FDS_MAX;
}

int channel_receive(Channel *channel, bool wait) {
    Buf *in = &channel->in;
    in->len -= channel->taken;
    memmove(in->ptr ? in->ptr : "", in->ptr ? in->ptr + channel->taken : "", in->len);
    channel->taken = 0;
    if (!in->len && in->cap > 2 * PIECE)
        buf_done(in);
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(KERNEL_FDS * sizeof(int))];
    } control;
    struct iovec piece = {buf_reserve(in, PIECE), PIECE};
    struct msghdr message = {
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    ssize_t got = recvmsg(channel->fd, &message, (wait ? 0 : MSG_DONTWAIT) | MSG_CMSG_CLOEXEC);
    if (got < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    if (!take_fds(channel, &message))
        return -EPROTO;
    in->len += (size_t)got;
    return got > 0;
}

/* The descriptors of the frame before. */
static void drop_fds(Channel *channel) {
    unsigned taken = channel->fds_taken;
    close_all(channel->fds.items, taken);
    array_remove(&channel->fds, 0, taken);
    channel->fds_taken = 0;
}

int channel_next(Channel *channel, WireFrame *ret_frame, int **ret_fds) {
    drop_fds(channel);
    Span rest = channel->in.ptr
                    ? span(channel->in.ptr + channel->taken, channel->in.len - channel->taken)
                    : (Span){0};
    int size = wire_frame(rest, ret_frame);
    if (size <= 0)
        return size;
    if (ret_frame->fds > channel->fds.count)
        return -EPROTO;
    channel->taken += (size_t)size;
    channel->fds_taken = ret_frame->fds;
    *ret_fds = channel->fds.items;
    return 1;
}
