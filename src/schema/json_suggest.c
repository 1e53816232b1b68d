/* "unknown field 'servce_name'; did you mean 'service_name'?" */
#include "schema/json_decode.h"

/* Longer names are neither compared nor shown whole. */
#define NAME_MAX_SHOWN 48

static int smaller(int a, int b) {
    return a < b ? a : b;
}

/* How many letters must be changed, added, dropped or swapped with their neighbour to make one
 * name of the other (optimal string alignment). */
static int distance(Span a, Span b) {
    int rows[3][NAME_MAX_SHOWN + 1];
    int *above = rows[0], *before = rows[1], *row = rows[2];
    for (int j = 0; j <= (int)b.len; j++)
        row[j] = j;
    for (int i = 1; i <= (int)a.len; i++) {
        int *oldest = above;
        above = before;
        before = row;
        row = oldest;
        row[0] = i;
        for (int j = 1; j <= (int)b.len; j++) {
            bool same = a.ptr[i - 1] == b.ptr[j - 1];
            row[j] = smaller(before[j - 1] + !same, smaller(before[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                row[j] = smaller(row[j], above[j - 2] + 1);
        }
    }
    return row[b.len];
}

static void consider(Span candidate, Span name, Span *best, int *least) {
    if (candidate.len > NAME_MAX_SHOWN || candidate.len == 0)
        return;
    int d = distance(name, candidate);
    if (d < *least) {
        *least = d;
        *best = candidate;
    }
}

int json_fail_unknown(JsonReader *reader, const char *at, const SchemaMessage *type, Span name) {
    if (name.len && name.ptr[0] == '[')
        return json_fail(reader, at, "extension '%.*s' is not known", schema_shown(name, 100),
                         name.ptr);
    if (name.len > NAME_MAX_SHOWN)
        return json_fail(reader, at, "unknown field '%.*s...'", schema_shown(name, NAME_MAX_SHOWN),
                         name.ptr);
    Span best = {0};
    int least = (int)name.len / 3 + 1;
    for (size_t i = 0; i < type->field_count; i++) {
        const SchemaField *field = &type->fields[i];
        consider(span(field->name, field->name_len), name, &best, &least);
        consider(span(field->json_name, field->json_name_len), name, &best, &least);
    }
    if (!best.len)
        return json_fail(reader, at, "unknown field '%.*s'", SPAN_ARGS(name));
    return json_fail(reader, at, "unknown field '%.*s'; did you mean '%.*s'?", SPAN_ARGS(name),
                     SPAN_ARGS(best));
}
