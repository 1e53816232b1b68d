/* Wrong files and what is said of them: mistakes.txt. With MISTAKES_WRITE set, writes the table
 * anew from what is said now, for somebody to read critically. */
#include <fcntl.h>
#include <unistd.h>

#include "config/config_kit.h"

/* A case of mistakes.txt:
 *
 *   === PATH [PATH…]        files that are read, in /p/; more of them may follow a "+++ PATH" line
 *   the text of the first
 *   +++ PATH
 *   the text of another
 *   ---
 *   the problems, one a line
 */
typedef struct Case {
    Kit kit;
    size_t read; /* how many of the files are named */
    Span all, wanted;
} Case;

static Span take_line(Span *text) {
    const char *end = text->len ? memchr(text->ptr, '\n', text->len) : NULL;
    Span line = end ? span(text->ptr, (size_t)(end - text->ptr)) : *text;
    *text = span_skip(*text, line.len + 1);
    return line;
}

/* Everything up to a line that begins with one of these; the line stays. */
static Span take_block(Span *text) {
    const char *begin = text->ptr;
    while (text->len && !span_starts(*text, SPAN("=== ")) && !span_starts(*text, SPAN("+++ ")) &&
           !span_starts(*text, SPAN("---\n")))
        take_line(text);
    return span(begin, (size_t)((text->len ? text->ptr : begin) - begin));
}

static const char *absolute(Arena *arena, Span path) {
    Buf out = {.arena = arena};
    buf_printf(&out, "/p/%.*s", SPAN_ARGS(path));
    return buf_cstr(&out);
}

static bool take_case(Arena *arena, Span *text, Case *ret) {
    const char *begin = text->ptr;
    *ret = (Case){.kit.variables = {"HOME=/root", "EMPTY="}};
    if (!span_starts(*text, SPAN("=== ")))
        return false;
    Span names = span_skip(take_line(text), 4);
    Span first = names;
    const char *blank = memchr(names.ptr, ' ', names.len);
    if (blank)
        first.len = (size_t)(blank - names.ptr);
    kit_add(&ret->kit, absolute(arena, first), take_block(text));
    while (span_starts(*text, SPAN("+++ "))) {
        Span name = span_skip(take_line(text), 4);
        kit_add(&ret->kit, absolute(arena, name), take_block(text));
    }
    ret->read = blank ? 2 : 1;
    ret->all = span(begin, (size_t)(text->ptr - begin));
    assert_true(span_starts(*text, SPAN("---\n")));
    take_line(text);
    ret->wanted = take_block(text);
    if (!text->len)
        ret->wanted = span_of(ret->wanted.ptr);
    return true;
}

static void run_case(Case *wrong, Buf *ret_got, bool *ret_accepted) {
    const Config *config = NULL;
    ConfigReport report = {0};
    *ret_accepted = kit_config(&wrong->kit, wrong->read, &config, &report) == 0;
    kit_print_problems(&report, wrong->kit.files[0].path, ret_got);
    config_unref(config);
    config_report_done(&report);
}

static void read_table(Buf *text) {
    int fd = open(MISTAKES, O_RDONLY);
    ssize_t got;
    assert_true(fd >= 0);
    while ((got = read(fd, buf_reserve(text, 65536), 65536)) > 0)
        text->len += (size_t)got;
    close(fd);
    buf_cstr(text);
}

static void write_table(const Buf *table) {
    int fd = open(MISTAKES, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, table->ptr, table->len), table->len);
    close(fd);
}

static void mistakes(void **state) {
    Arena arena = {0};
    Buf text = {0}, table = {0};
    size_t cases = 0, failed = 0;
    Case wrong;
    read_table(&text);
    Span rest = buf_span(&text);
    while (rest.len && !span_starts(rest, SPAN("=== ")))
        take_line(&rest);
    buf_add(&table, span(text.ptr, (size_t)(rest.ptr - text.ptr)));
    for (; rest.len && take_case(&arena, &rest, &wrong); cases++) {
        Buf got = {0};
        bool accepted;
        run_case(&wrong, &got, &accepted);
        buf_add(&table, wrong.all);
        buf_add_literal(&table, "---\n");
        buf_add(&table, buf_span(&got));
        if (!got.len || !span_equal(buf_span(&got), wrong.wanted)) {
            print_message("%.*s--- want\n%.*s--- got\n%.*s", SPAN_ARGS(wrong.all),
                          SPAN_ARGS(wrong.wanted), SPAN_ARGS(buf_span(&got)));
            failed++;
        }
        buf_done(&got);
    }
    if (getenv("MISTAKES_WRITE"))
        write_table(&table);
    buf_done(&text);
    buf_done(&table);
    arena_done(&arena);
    assert_true(cases >= 60);
    assert_int_equal(failed, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(mistakes)};
    return cmocka_run_group_tests_name("config/mistakes", tests, NULL, NULL);
}
