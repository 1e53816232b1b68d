/* src/os/stream.h. */
#include "os/stream.h"
#include "stream_workload.h"

static void on_read(void *owner, Span bytes) {
    stream_write(owner, bytes);
}

static void on_end(void *owner) {
    stream_finish(owner);
}

static const StreamHandler HANDLER = {.read = on_read, .end = on_end};

static void on_accept(void *owner, Stream *stream) {
    (void)owner;
    stream_handle(stream, &HANDLER, stream);
    stream_read_start(stream);
}

static void serve(void (*tell)(uint16_t port)) {
    World *world = world_new();
    Listener *listener;
    Address address = {.kind = ADDRESS_TCP, .host = "127.0.0.1"};
    expect(listener_open(world, &address, on_accept, NULL, &listener) == 0, "listener");
    listener_address(listener, &address);
    tell(address.port);
    world_run(world);
}
