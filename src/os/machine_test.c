#include "os/machine.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"
#include "os/stream.h"

static void refuse(void *owner, Stream *stream) {
    stream_close(stream, 0);
}

static void names_who_listens(void **state) {
    World *world = world_new();
    Listener *listener;
    Address address, bound;
    assert_true(address_parse(SPAN("127.0.0.1:0"), &address));
    assert_int_equal(listener_open(world, &address, refuse, NULL, &listener), 0);
    listener_address(listener, &bound);
    MachineProcess *found = malloc(sizeof *found);
    assert_int_equal(MACHINE.listener(bound.port, found), 0);
    assert_int_equal(found->identity.pid, getpid());
    assert_int_equal(found->uid, getuid());
    assert_false(MACHINE.port_is_free(bound.port));
    assert_non_null(strstr(found->executable, "machine_test"));
    assert_true(found->command_size > 0);
    char text[64];
    assert_true(machine_command_text(found, text, sizeof text) > 0);
    uint16_t ports[4];
    assert_int_equal(MACHINE.ports(&(int64_t){getpid()}, 1, ports, 4), 1);
    assert_int_equal(ports[0], bound.port);
    listener_close(listener);
    world_run(world);
    assert_int_equal(MACHINE.listener(bound.port, found), -ENOENT);
    assert_true(MACHINE.port_is_free(bound.port));
    free(found);
    world_free(world);
}

static void signals_reach_only_who_is_meant(void **state) {
    pid_t child = fork();
    if (!child)
        for (;;)
            pause();
    MachineProcess *process = malloc(sizeof *process);
    assert_int_equal(MACHINE.process(child, process), 0);
    ProcessIdentity other = process->identity;
    other.start_ticks++;
    assert_false(MACHINE.lives(&other));
    assert_int_equal(MACHINE.signal(&other, SIGKILL), -ESRCH);
    assert_true(MACHINE.lives(&process->identity));
    assert_int_equal(MACHINE.signal(&process->identity, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_false(MACHINE.lives(&process->identity));
    assert_int_equal(MACHINE.process(child, process), -ESRCH);
    free(process);
}

static void finds_variables(void **state) {
    static const char TEXT[] = "A=1\0MUSTER_SERVICE=api\0AB=2\0C=";
    MachineProcess *process = calloc(1, sizeof *process);
    memcpy(process->environment, TEXT, sizeof TEXT);
    process->environment_size = sizeof TEXT;
    assert_span(machine_variable(process, SPAN("MUSTER_SERVICE")), "api");
    assert_span(machine_variable(process, SPAN("AB")), "2");
    assert_span(machine_variable(process, SPAN("C")), "");
    assert_null(machine_variable(process, SPAN("MUSTER")).ptr);
    free(process);
}

static void knows_what_we_use(void **state) {
    Nanos cpu = 0;
    uint64_t memory = 0;
    assert_int_equal(MACHINE.self(&cpu, &memory), 0);
    assert_true(cpu > 0 && memory > 65536);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_who_listens),
        cmocka_unit_test(signals_reach_only_who_is_meant),
        cmocka_unit_test(finds_variables),
        cmocka_unit_test(knows_what_we_use),
    };
    return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
