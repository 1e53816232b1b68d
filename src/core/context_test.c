#include "core/context.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"

static int one, two;

static void what_is_put_is_found(void **state) {
    (void)state;
    Context *context = context_new();
    context_put(context, "one", &one);
    context_put(context, "two", &two);
    assert_ptr_equal(context_get(context, "one"), &one);
    assert_ptr_equal(context_find(context, "two"), &two);
    assert_null(context_find(context, "three"));
    context_seal(context);
    assert_ptr_equal(context_get(context, "two"), &two);
    context_free(context);
}

static void put_after_sealing(Context *context) {
    context_seal(context);
    context_put(context, "late", &two);
}

static void put_twice(Context *context) {
    context_put(context, "one", &two);
}

static void get_what_is_not_there(Context *context) {
    context_get(context, "absent");
}

/* A process of its own aborts, having said so. */
static void assert_aborts(void (*misuse)(Context *context), const char *message) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL); /* cmocka's own handler would take it for a failure */
        Context *context = context_new();
        context_put(context, "one", &one);
        misuse(context);
        _exit(0);
    }
    close(ends[1]);
    char text[512] = {0};
    size_t len = 0;
    for (ssize_t got; (got = read(ends[0], text + len, sizeof text - 1 - len)) > 0;)
        len += (size_t)got;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, message));
}

static void wrong_use_aborts_and_names_the_key(void **state) {
    (void)state;
    assert_aborts(put_after_sealing, "context key 'late' is written after the context was sealed");
    assert_aborts(put_twice, "context key 'one' is there already");
    assert_aborts(get_what_is_not_there, "context key 'absent' is not there");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_found),
        cmocka_unit_test(wrong_use_aborts_and_names_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
