#include "schema/build.h"

#include <errno.h>

#include "schema/codec.h"
#include "schema/wire.h"

/* Real files have names of some ten times their own size in all. */
#define NAME_BUDGET_LEAST  ((size_t)1 << 20)
#define NAME_BUDGET_FACTOR 64

#define FILE_OPTIONS     8  /* FileDescriptorProto.options */
#define FILE_FEATURES    50 /* FileOptions.features */
#define FILE_SOURCE      9  /* FileDescriptorProto.source_code_info */
#define FILE_EDITION     14 /* FileDescriptorProto.edition */
#define MESSAGE_FEATURES 12 /* MessageOptions.features */
#define ENUM_OPTIONS     3  /* EnumDescriptorProto.options */
#define ENUM_FEATURES    7  /* EnumOptions.features */

/* What the run goes through of one file, with the places that are filled next. */
typedef struct Declaring {
    SchemaFile *file;
    const SchemaMessage **message;
    const SchemaEnum **enumeration;
} Declaring;

static int declare_enums(Build *build, Declaring *at, Span scope, const Features *features,
                         const PbEnumDescriptorProto *protos, size_t count) {
    for (size_t i = 0; i < count; i++) {
        Features own = *features;
        Span options = options_message(options_unknown(protos[i].unknown, &build->scratch),
                                       ENUM_OPTIONS, &build->scratch);
        features_apply(&own, options_message(options, ENUM_FEATURES, &build->scratch));
        SchemaEnum *table = arena_zalloc(&build->tables, sizeof *table);
        table->file = at->file;
        table->closed = own.of[FEATURE_ENUM] == ENUM_CLOSED;
        int r = build_enum(build, table, scope, &protos[i]);
        if (r < 0)
            return r;
        *at->enumeration++ = table;
    }
    return 0;
}

static int declare_messages(Build *build, Declaring *at, Span scope, const Features *features,
                            const PbDescriptorProto *protos, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const PbDescriptorProto *proto = &protos[i];
        SchemaMessage *table = &build->messages[build->message_count];
        MessagePlan *plan = &build->message_plans[build->message_count++];
        *plan = (MessagePlan){.proto = proto, .features = *features};
        *at->message++ = table;
        *table = (SchemaMessage){.file = at->file};
        table->full_name = build_full_name(build, scope, proto->name);
        if (!table->full_name)
            return -EINVAL;
        Span name = span_of(table->full_name);
        table->well_known = well_known_by_name(name);
        if (proto->options) {
            table->map_entry = proto->options->map_entry;
            Span options = options_unknown(proto->options->unknown, &build->scratch);
            features_apply(&plan->features,
                           options_message(options, MESSAGE_FEATURES, &build->scratch));
        }
        int r = build_declare(build, table->full_name, SYMBOL_MESSAGE, table, at->file);
        if (r >= 0)
            r = declare_enums(build, at, name, &plan->features, proto->enum_type.items,
                              proto->enum_type.count);
        if (r >= 0)
            r = declare_messages(build, at, name, &plan->features, proto->nested_type.items,
                                 proto->nested_type.count);
        if (r < 0)
            return r;
    }
    return 0;
}

static int declare_services(Build *build, FilePlan *plan) {
    const PbFileDescriptorProto *proto = plan->proto;
    SchemaFile *file = plan->table;
    size_t count = proto->service.count;
    SchemaService *tables = arena_zalloc(&build->tables, count * sizeof *tables);
    const SchemaService **list = arena_alloc(&build->tables, count * sizeof *list);
    for (size_t i = 0; i < count; i++) {
        SchemaService *table = &tables[i];
        table->file = file;
        table->full_name = build_full_name(build, proto->package, proto->service.items[i].name);
        if (!table->full_name)
            return -EINVAL;
        int r = build_declare(build, table->full_name, SYMBOL_SERVICE, table, file);
        if (r < 0)
            return r;
        list[i] = table;
    }
    plan->services = tables;
    file->services = list;
    return 0;
}

typedef struct Counts {
    size_t messages, enums;
} Counts;

static void count_nested(const PbDescriptorProto *protos, size_t count, Counts *counts) {
    counts->messages += count;
    for (size_t i = 0; i < count; i++) {
        counts->enums += protos[i].enum_type.count;
        count_nested(protos[i].nested_type.items, protos[i].nested_type.count, counts);
    }
}

static Counts count_file(const PbFileDescriptorProto *proto) {
    Counts counts = {.enums = proto->enum_type.count};
    count_nested(proto->message_type.items, proto->message_type.count, &counts);
    return counts;
}

static int check_package(Build *build, const SchemaFile *file) {
    Span rest = span_of(file->package);
    if (rest.len > BUILD_NAME_MAX)
        return build_refuse(build, span_of(file->name), "its package name is too long");
    while (rest.len) {
        const char *dot = memchr(rest.ptr, '.', rest.len);
        Span part = span(rest.ptr, dot ? (size_t)(dot - rest.ptr) : rest.len);
        if (!build_is_identifier(part) || (dot && part.len + 1 == rest.len))
            return build_refuse(build, span_of(file->name), "bad package name '%s'", file->package);
        rest = span_skip(rest, part.len + (dot != NULL));
    }
    return 0;
}

static int file_features(Build *build, FilePlan *plan) {
    Span unknown = options_unknown(plan->proto->unknown, &build->scratch);
    uint64_t edition = 0;
    options_varint(unknown, FILE_EDITION, &edition);
    if (!features_of_file(plan->proto->syntax, edition, &plan->features))
        return build_refuse(build, plan->proto->name, "syntax '%.*s', edition %llu is not known",
                            SPAN_ARGS(plan->proto->syntax), (unsigned long long)edition);
    Span options = options_message(unknown, FILE_OPTIONS, &build->scratch);
    features_apply(&plan->features, options_message(options, FILE_FEATURES, &build->scratch));
    return 0;
}

static int declare_file(Build *build, FilePlan *plan) {
    const PbFileDescriptorProto *proto = plan->proto;
    SchemaFile *file = plan->table;
    Counts counts = count_file(proto);
    if (counts.messages > UINT16_MAX || counts.enums > UINT16_MAX ||
        proto->service.count > UINT16_MAX || proto->dependency.count > UINT16_MAX)
        return build_refuse(build, proto->name, "has more symbols than 65535");
    file->package = arena_text(&build->tables, proto->package);
    int r = check_package(build, file);
    if (r >= 0)
        r = file_features(build, plan);
    if (r < 0)
        return r;

    const SchemaMessage **messages =
        arena_alloc(&build->tables, counts.messages * sizeof *messages);
    const SchemaEnum **enums = arena_alloc(&build->tables, counts.enums * sizeof *enums);
    file->messages = messages;
    file->enums = enums;
    file->message_count = (uint16_t)counts.messages;
    file->enum_count = (uint16_t)counts.enums;
    file->service_count = (uint16_t)proto->service.count;
    Declaring at = {file, messages, enums};
    r = declare_enums(build, &at, proto->package, &plan->features, proto->enum_type.items,
                      proto->enum_type.count);
    if (r >= 0)
        r = declare_messages(build, &at, proto->package, &plan->features, proto->message_type.items,
                             proto->message_type.count);
    return r < 0 ? r : declare_services(build, plan);
}

/* Those imports that are there: one that no type is needed from may be missing. */
static void link_dependencies(Build *build, FilePlan *plan) {
    size_t count = plan->proto->dependency.count, found = 0;
    const SchemaFile **list = arena_alloc(&build->tables, count * sizeof *list);
    for (size_t i = 0; i < count; i++) {
        const SchemaFile *file = map_get(build->files, plan->proto->dependency.items[i]);
        if (file)
            list[found++] = file;
    }
    plan->table->dependencies = list;
    plan->table->dependency_count = (uint16_t)found;
}

/* The descriptor without comments and their positions, which take more room than all the rest. */
static Span strip_source(Build *build, Span descriptor) {
    char *copy = arena_alloc(&build->tables, descriptor.len), *end = copy;
    WireField field;
    for (WireReader r = wire_reader(descriptor); wire_next(&r, &field);)
        if (field.number != FILE_SOURCE)
            end = mempcpy(end, field.raw.ptr, field.raw.len);
    return span(copy, (size_t)(end - copy));
}

static int read_file(Build *build, Span descriptor) {
    void *decoded;
    if (schema_decode(&PbFileDescriptorProto_type, descriptor, NULL, &build->scratch, &decoded,
                      build->error) < 0)
        return -EBADMSG;
    const PbFileDescriptorProto *proto = decoded;
    if (proto->name.len == 0 || memchr(proto->name.ptr, '\0', proto->name.len))
        return build_refuse(build, proto->name, "a file without a proper name");
    if (map_get(build->files, proto->name))
        return 0;
    SchemaFile *file = arena_zalloc(&build->tables, sizeof *file);
    file->name = arena_text(&build->tables, proto->name);
    file->descriptor = strip_source(build, descriptor);
    map_put(build->files, file);
    *array_push(&build->plans) = (FilePlan){.proto = proto, .table = file};
    return 0;
}

/* Passes has_required on to all messages that hold such a message, however deep. */
static void spread_required(Build *build) {
    uint32_t *stack = arena_alloc(&build->scratch, build->message_count * sizeof *stack);
    size_t depth = 0;
    for (uint32_t i = 0; i < build->message_count; i++)
        if (build->messages[i].has_required)
            stack[depth++] = i;
    while (depth > 0) {
        const MessagePlan *plan = &build->message_plans[stack[--depth]];
        for (uint32_t use = plan->first_use; use; use = build->uses.items[use - 1].next) {
            uint32_t user = build->uses.items[use - 1].user;
            if (!build->messages[user].has_required) {
                build->messages[user].has_required = true;
                stack[depth++] = user;
            }
        }
    }
}

/* Types that have the name of a well-known type but not its shape are ordinary ones, and so are
 * those that rest on them. */
static void settle_well_known(Build *build) {
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < build->message_count; i++) {
            SchemaMessage *message = &build->messages[i];
            if (message->well_known != SCHEMA_ORDINARY && !well_known_fits(message)) {
                message->well_known = SCHEMA_ORDINARY;
                changed = true;
            }
        }
    }
}

int build_run(Build *build, const Span *descriptors, size_t count) {
    int r = 0;
    size_t messages = 0;
    build->name_budget = NAME_BUDGET_LEAST;
    for (size_t i = 0; i < count && r >= 0; i++) {
        build->name_budget += NAME_BUDGET_FACTOR * descriptors[i].len;
        r = read_file(build, descriptors[i]);
    }
    if (r < 0)
        return r;
    for (size_t i = 0; i < build->plans.count; i++)
        messages += count_file(build->plans.items[i].proto).messages;
    build->messages = arena_alloc(&build->tables, messages * sizeof *build->messages);
    build->message_plans = arena_alloc(&build->scratch, messages * sizeof *build->message_plans);

    for (size_t i = 0; i < build->plans.count && r >= 0; i++)
        r = declare_file(build, &build->plans.items[i]);
    for (uint32_t i = 0; i < build->message_count && r >= 0; i++)
        r = build_message(build, i);
    for (size_t i = 0; i < build->plans.count && r >= 0; i++) {
        FilePlan *plan = &build->plans.items[i];
        link_dependencies(build, plan);
        for (size_t k = 0; k < plan->proto->service.count && r >= 0; k++)
            r = build_service(build, &plan->services[k], &plan->proto->service.items[k]);
    }
    if (r < 0)
        return r;
    spread_required(build);
    settle_well_known(build);
    return 0;
}

void build_undo(Build *build) {
    for (Symbol *symbol = build->added; symbol; symbol = symbol->next)
        map_remove(build->symbols, symbol->name);
    for (size_t i = 0; i < build->plans.count; i++)
        map_remove(build->files, span_of(build->plans.items[i].table->name));
}

void build_done(Build *build) {
    array_done(&build->plans);
    array_done(&build->uses);
    arena_done(&build->scratch);
}
