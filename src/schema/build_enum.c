#include <errno.h>
#include <stdlib.h>

#include "schema/build.h"

/* Aliases stay in the order of the file. */
static int by_number(const void *a, const void *b, void *protos_) {
    const PbEnumValueDescriptorProto *protos = protos_;
    uint16_t i = *(const uint16_t *)a, k = *(const uint16_t *)b;
    if (protos[i].number != protos[k].number)
        return protos[i].number < protos[k].number ? -1 : 1;
    return i < k ? -1 : i > k;
}

static int by_name(const void *a, const void *b, void *values_) {
    const SchemaEnumValue *values = values_;
    return strcmp(values[*(const uint16_t *)a].name, values[*(const uint16_t *)b].name);
}

/* Values are siblings of their enum, not its members: "package.VALUE". */
static int declare_values(Build *build, const SchemaEnum *table, Span scope,
                          const PbEnumDescriptorProto *proto) {
    for (size_t i = 0; i < proto->value.count; i++) {
        const char *full_name = build_full_name(build, scope, proto->value.items[i].name);
        if (!full_name)
            return -EINVAL;
        int r = build_declare(build, full_name, SYMBOL_ENUM_VALUE, table, table->file);
        if (r < 0)
            return r;
    }
    return 0;
}

int build_enum(Build *build, SchemaEnum *table, Span scope, const PbEnumDescriptorProto *proto) {
    table->full_name = build_full_name(build, scope, proto->name);
    if (!table->full_name)
        return -EINVAL;
    size_t count = proto->value.count;
    Span name = span_of(table->full_name);
    if (count == 0 || count > UINT16_MAX)
        return build_refuse(build, name, "has %zu values, not between 1 and 65535", count);
    table->count = (uint16_t)count;
    table->first = proto->value.items[0].number;
    if (!table->closed && table->first != 0)
        return build_refuse(build, name, "its first value is %d, not 0 as in an open enum",
                            (int)table->first);
    int r = build_declare(build, table->full_name, SYMBOL_ENUM, table, table->file);
    if (r >= 0)
        r = declare_values(build, table, scope, proto);
    if (r < 0)
        return r;

    uint16_t *order = arena_alloc(&build->tables, count * sizeof *order);
    SchemaEnumValue *values = arena_alloc(&build->tables, count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        order[i] = (uint16_t)i;
    qsort_r(order, count, sizeof *order, by_number, proto->value.items);
    for (size_t i = 0; i < count; i++) {
        const PbEnumValueDescriptorProto *value = &proto->value.items[order[i]];
        values[i] = (SchemaEnumValue){value->number, (uint32_t)value->name.len,
                                      arena_text(&build->tables, value->name)};
    }
    for (size_t i = 0; i < count; i++)
        order[i] = (uint16_t)i;
    qsort_r(order, count, sizeof *order, by_name, values);
    table->values = values;
    table->by_name = order;
    return 0;
}
