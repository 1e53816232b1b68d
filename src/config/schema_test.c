/* The reference and the schema are what the table of rules says. With REFERENCE_WRITE set, writes
 * the reference anew. */
#include <fcntl.h>
#include <unistd.h>

#include "base/array.h"
#include "base/test.h"
#include "config/rules.h"
#include "config/schema.h"
#include "doc/doc.h"

static void read_guide(Buf *text) {
    int fd = open(GUIDE, O_RDONLY);
    ssize_t got;
    assert_true(fd >= 0);
    while ((got = read(fd, buf_reserve(text, 65536), 65536)) > 0)
        text->len += (size_t)got;
    close(fd);
}

static void reference(void **state) {
    static const char MARK[] = "how to make it anew. -->\n\n";
    Buf guide = {0}, wanted = {0};
    read_guide(&guide);
    char *mark = memmem(guide.ptr, guide.len, MARK, sizeof MARK - 1);
    assert_non_null(mark);
    size_t from = (size_t)(mark - guide.ptr) + sizeof MARK - 1;
    config_reference(&wanted);
    if (getenv("REFERENCE_WRITE")) {
        int fd = open(GUIDE, O_WRONLY | O_TRUNC);
        assert_int_equal(write(fd, guide.ptr, from), from);
        assert_int_equal(write(fd, wanted.ptr, wanted.len), wanted.len);
        close(fd);
    } else if (!span_equal(span_skip(buf_span(&guide), from), buf_span(&wanted))) {
        fail_msg("docs/configuration.md is not what src/config/rules.c says: run this with "
                 "REFERENCE_WRITE=1");
    }
    buf_done(&guide);
    buf_done(&wanted);
}

static void check_set(const DocNode *node, const RuleSet *set) {
    const DocNode *properties = doc_get(node, SPAN("properties"));
    for (const Rule *rule = set->rules; rule->name; rule++) {
        const DocNode *property = doc_get(properties, span_of(rule->name));
        if (!property || !doc_get(property, SPAN("description")))
            fail_msg("not in the schema: %s", rule->name);
        const DocNode *any = doc_get(property, SPAN("anyOf"));
        if (rule->type == RULE_SECTION)
            check_set(any->list.items[0], rule->section);
    }
    assert_false(doc_get(node, SPAN("additionalProperties"))->flag);
}

static void schema(void **state) {
    Arena arena = {0};
    Buf text = {0};
    const DocNode *root;
    DocError error;
    config_schema(&text);
    if (doc_read(&arena, DOC_JSON, SPAN("schema"), buf_span(&text), &root, &error) < 0)
        fail_msg("%u:%u: %.*s", error.place.line, error.place.column, SPAN_ARGS(error.message));
    const DocNode *defs = doc_get(root, SPAN("$defs"));
    check_set(doc_get(defs, SPAN("project")), &PROJECT_RULES);
    check_set(doc_get(defs, SPAN("service")), &SERVICE_RULES);
    buf_done(&text);
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reference), cmocka_unit_test(schema)};
    return cmocka_run_group_tests_name("config/schema", tests, NULL, NULL);
}
