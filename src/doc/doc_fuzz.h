/* What the fuzzers of the formats share: any bytes as a document. It is refused with a reason, or
 * is a tree within its bounds. */
#include <assert.h>
#include <stdlib.h>

#include "doc/doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t count_nodes(const DocNode *node) {
    uint32_t count = 1;
    if (node->kind == DOC_LIST)
        for (size_t i = 0; i < node->list.count; i++)
            count += count_nodes(node->list.items[i]);
    if (node->kind == DOC_MAP)
        for (size_t i = 0; i < node->map.count; i++)
            count += count_nodes(node->map.entries[i].value);
    return count;
}

static int fuzz_format(DocFormat format, const uint8_t *data, size_t size) {
    /* A block of its own, so that a read beyond the end is seen. */
    char *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    Arena arena = {0};
    const DocNode *root = NULL;
    DocError error = {0};
    int result = doc_read(&arena, format, SPAN("f"), span(copy, size), &root, &error);
    free(copy); /* the tree borrows nothing */
    if (result < 0)
        assert(error.message.len);
    else
        assert(count_nodes(root) <= DOC_NODES_MAX);
    arena_done(&arena);
    return 0;
}
