#include "cli/input.h"

#include <unistd.h>

#include "base/test.h"

/* ---- cutting ---- */

/* The documents in the text, each followed by '|', cut from pieces of that size. */
static void cut(const char *text, size_t piece, Buf *out) {
    JsonCutter cutter = {0};
    size_t len = strlen(text);
    bool open = false;
    for (size_t at = 0; at < len; at += piece) {
        Span rest = span(text + at, len - at < piece ? len - at : piece);
        while (rest.len) {
            if (!open && strchr(" \n\t\r", *rest.ptr)) {
                rest = span_skip(rest, 1);
                continue;
            }
            bool complete;
            size_t taken = json_cut(&cutter, rest, &complete);
            buf_add(out, span(rest.ptr, taken));
            rest = span_skip(rest, taken);
            open = !complete;
            if (complete)
                buf_add_char(out, '|');
        }
    }
}

static void test_cut(void **state) {
    static const struct {
        const char *text, *documents;
    } CASES[] = {
        {"", ""},
        {" \n\t", ""},
        {"{}", "{}|"},
        {"{}{}", "{}|{}|"},
        {"{\"a\":{\"b\":[1,{}]}}\n[]", "{\"a\":{\"b\":[1,{}]}}|[]|"},
        {"{\"}\":\"\\\"}{\"} {}", "{\"}\":\"\\\"}{\"}|{}|"},
        {"{\n  \"a\": 1\n}\n{}", "{\n  \"a\": 1\n}|{}|"},
        {"\"text\" \"1\\\"2\"", "\"text\"|\"1\\\"2\"|"},
        {"12 true\nnull ", "12|true|null|"},
        {"1\"a\"2{}", "1|\"a\"|2|{}|"},
        {"{\"a\":", "{\"a\":"},
        {"]}", "]|}|"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        for (size_t piece = 1; piece < 30; piece += 7) {
            Buf out = {0};
            cut(CASES[i].text, piece, &out);
            assert_span(buf_span(&out), CASES[i].documents);
            buf_done(&out);
        }
    }
}

/* ---- reading ---- */

typedef struct Reading {
    World *world;
    Input *input;
    Buf documents;
    bool broken;
} Reading;

static void on_arrived(void *owner) {
    Reading *reading = owner;
    for (;;) {
        InputState state = input_next(reading->input, &reading->documents);
        if (state == INPUT_LATER)
            return;
        if (state == INPUT_DOCUMENT) {
            buf_add_char(&reading->documents, '|');
            continue;
        }
        reading->broken = state == INPUT_BROKEN;
        world_stop(reading->world);
        return;
    }
}

static Reading read_all(char *const *arguments, size_t count) {
    Reading reading = {.world = world_new()};
    reading.input = input_open(reading.world, arguments, count, on_arrived, &reading);
    world_run(reading.world);
    input_close(reading.input);
    world_free(reading.world);
    return reading;
}

static void test_sources(void **state) {
    char path[] = "/tmp/input_test_XXXXXX", at_path[64];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "{\"a\":1}\n{\"a\":2}", 15), 15);
    close(fd);
    snprintf(at_path, sizeof at_path, "@%s", path);
    Reading reading = read_all((char *[]){"{}", at_path, "{\"b\":3}"}, 3);
    assert_span(buf_span(&reading.documents), "{}|{\"a\":1}|{\"a\":2}|{\"b\":3}|");
    assert_false(reading.broken);
    buf_done(&reading.documents);
    unlink(path);
    reading = read_all((char *[]){at_path}, 1);
    assert_true(reading.broken);
    assert_non_null(strstr(buf_cstr(&reading.documents), "No such file"));
    buf_done(&reading.documents);
}

/* More than is read ahead, and someone who leaves in the middle. */
static void test_many(void **state) {
    char *arguments[500];
    for (size_t i = 0; i < 500; i++)
        arguments[i] = "{}";
    Reading reading = read_all(arguments, 500);
    assert_int_equal(reading.documents.len, 1500);
    buf_done(&reading.documents);
    World *world = world_new();
    Reading leaving = {.world = world};
    input_close(input_open(world, arguments, 500, on_arrived, &leaving));
    world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests_name("input", tests, NULL, NULL);
}
