/* What either side of keeper.sock receives, through a Channel as both have it: every frame is read
 * as what it says it is, and what was read is written and read again. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper/channel.h"

static void read_start(WireReader *reader) {
    WireStart start = {0};
    wire_read_start(reader, &start);
    if (!reader->bad && start.argv.count && !start.argv.items[start.argv.count - 1])
        abort();
    free(start.argv.items);
    free(start.env.items);
}

static void read_runtime(WireReader *reader) {
    WireRuntime runtime = {0};
    wire_number(reader);
    wire_read_runtime(reader, &runtime);
    free(runtime.argv.items);
    free(runtime.env.items);
}

static void read_process(WireReader *reader) {
    WireProcess first, second;
    Buf out = {0};
    wire_read_process(reader, &first);
    if (reader->bad)
        return;
    wire_add_process(&out, &first);
    WireReader again = {.rest = buf_span(&out)};
    wire_read_process(&again, &second);
    if (again.bad || again.rest.len || !span_equal(first.id, second.id) ||
        !span_equal(first.notice.status, second.notice.status) || first.held != second.held)
        abort();
    buf_done(&out);
}

static void read_frame(const WireFrame *frame) {
    WireReader reader = {.rest = frame->payload};
    WireExit exit;
    WireNotice notice;
    if (frame->type == WIRE_START) {
        read_start(&reader);
    } else if (frame->type == WIRE_RUNTIME) {
        read_runtime(&reader);
    } else if (frame->type == WIRE_PROCESS || frame->type == WIRE_HANDOVER) {
        read_process(&reader);
    } else if (frame->type == WIRE_EXITED) {
        wire_text(&reader);
        wire_read_exit(&reader, &exit);
    } else if (frame->type == WIRE_NOTICE) {
        wire_text(&reader);
        wire_read_notice(&reader, &notice);
    } else {
        while (!reader.bad) {
            wire_string(&reader);
            wire_number(&reader);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int pair[2], *fds, result;
    Channel channel;
    WireFrame frame;
    if (size > 60000 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return 0;
    if (size && send(pair[1], data, size, 0) != (ssize_t)size)
        abort();
    close(pair[1]);
    channel_init(&channel, pair[0]);
    while (channel_receive(&channel, false) > 0) {
        while ((result = channel_next(&channel, &frame, &fds)) > 0)
            read_frame(&frame);
        if (result < 0)
            break;
    }
    channel_done(&channel);
    close(pair[0]);
    return 0;
}
