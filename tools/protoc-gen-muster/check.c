#include "generate.h"

typedef struct Identifier {
    Span name;
    const char *of;
} Identifier;

typedef struct Check {
    Map seen;
    const Names *names;
    const char *clash;
} Check;

static Span identifier_key(const void *item) {
    return ((const Identifier *)item)->name;
}

static void claim(Check *check, const char *name, const char *of) {
    const Identifier *known = map_get(&check->seen, span_of(name));
    if (known && !check->clash) {
        Buf text = {.arena = check->names->arena};
        buf_printf(&text, "%s and %s are both called %s", known->of, of, name);
        check->clash = buf_cstr(&text);
    }
    if (known)
        return;
    Identifier *identifier = arena_alloc(check->names->arena, sizeof *identifier);
    *identifier = (Identifier){span_of(name), of};
    map_put(&check->seen, identifier);
}

static const char *join(const Names *names, const char *scope, const char *separator,
                        const char *name) {
    Buf text = {.arena = names->arena};
    buf_printf(&text, "%s%s%s", scope, separator, name);
    return buf_cstr(&text);
}

/* The type and its table. */
static void claim_type(Check *check, const char *name, const char *of) {
    claim(check, name, of);
    claim(check, join(check->names, name, "_", "type"), of);
}

const char *generate_check(const SchemaFile *file, const Names *names) {
    Check check = {.names = names};
    map_init(&check.seen, identifier_key, 0);
    for (size_t i = 0; i < file->message_count; i++) {
        const char *full_name = file->messages[i]->full_name;
        claim_type(&check, name_of_type(names, file, full_name), full_name);
    }
    for (size_t i = 0; i < file->enum_count; i++) {
        const SchemaEnum *table = file->enums[i];
        claim_type(&check, name_of_type(names, file, table->full_name), table->full_name);
        for (size_t k = 0; k < table->count; k++)
            claim(&check, name_of_value(names, table, k),
                  join(names, table->full_name, ".", table->values[k].name));
    }
    for (size_t i = 0; i < file->service_count; i++) {
        const SchemaService *service = file->services[i];
        const char *name = name_of_type(names, file, service->full_name);
        claim(&check, join(names, name, "_", "service"), service->full_name);
        for (size_t k = 0; k < service->method_count; k++)
            claim(&check, join(names, name, "_", service->methods[k].name),
                  join(names, service->full_name, ".", service->methods[k].name));
    }
    map_done(&check.seen);
    return check.clash;
}
