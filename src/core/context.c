#include "core/context.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/memory.h"

#define INFRASTRUCTURE "infrastructure"

typedef struct Part {
    const char *key;
    void *value;
} Part;

/* A runtime has few parts, and each is looked up once or twice by whoever needs it. */
struct Context {
    ARRAY(Part) parts;
    bool sealed;
};

__attribute__((noreturn, cold)) static void wrong_use(const char *key, const char *what) {
    fprintf(stderr, "muster: programming error: context key '%s' %s\n", key, what);
    abort();
}

Context *context_new(void) {
    return xcalloc(1, sizeof(Context));
}

void context_free(Context *context) {
    if (!context)
        return;
    array_done(&context->parts);
    free(context);
}

void context_put(Context *context, const char *key, void *value) {
    assert(value);
    if (context->sealed)
        wrong_use(key, "is written after the context was sealed: put it there in load");
    if (context_find(context, key))
        wrong_use(key, "is there already");
    *array_push(&context->parts) = (Part){key, value};
}

void *context_find(const Context *context, const char *key) {
    for (size_t i = 0; i < context->parts.count; i++)
        if (strcmp(context->parts.items[i].key, key) == 0)
            return context->parts.items[i].value;
    return NULL;
}

void *context_get(const Context *context, const char *key) {
    void *value = context_find(context, key);
    if (!value)
        wrong_use(key, "is not there: the component that puts it must be required");
    return value;
}

void context_seal(Context *context) {
    context->sealed = true;
}

void context_put_infrastructure(Context *context, Infrastructure *infrastructure) {
    context_put(context, INFRASTRUCTURE, infrastructure);
}

const Infrastructure *infrastructure_of(const Context *context) {
    return context_get(context, INFRASTRUCTURE);
}
