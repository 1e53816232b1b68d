#include "base/nearest.h"

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Steps from one name to the other (optimal string alignment). */
static size_t distance(Span a, Span b) {
    size_t rows[3][NEAREST_MAX + 1];
    size_t *above = rows[0], *before = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *oldest = above;
        above = before;
        before = row;
        row = oldest;
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool same = a.ptr[i - 1] == b.ptr[j - 1];
            row[j] = smaller(before[j - 1] + !same, smaller(before[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                row[j] = smaller(row[j], above[j - 2] + 1);
        }
    }
    return row[b.len];
}

Nearest nearest_to(Span word) {
    size_t allowed = word.len < 6 ? word.len > 1 : word.len / 3;
    return (Nearest){.word = word, .steps = allowed + 1};
}

void nearest_consider(Nearest *nearest, Span candidate) {
    if (!candidate.len || candidate.len > NEAREST_MAX || nearest->word.len > NEAREST_MAX)
        return;
    size_t steps = distance(nearest->word, candidate);
    if (steps >= nearest->steps)
        return;
    nearest->steps = steps;
    nearest->best = candidate;
}
