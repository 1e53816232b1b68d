/* What the readers of a draft share. */
#pragma once

#include "cli/project/draft.h"
#include "doc/doc.h"

/* A folder that is looked at: where it is, and how it is called in the file. */
typedef struct DraftPlace {
    Draft *draft;
    const char *path;
    Span name; /* empty: the project's own */
} DraftPlace;

/* The whole file; {NULL, 0} when it is not there or, which is noted as a problem, cannot be read. */
Span draft_read_file(const DraftPlace *place, const char *file);
const DocNode *draft_read_document(const DraftPlace *place, const char *file, DocFormat format);

/* A name that may be a service's. */
Span draft_name(Arena *arena, Span text);

/* NULL when there are too many. */
DraftService *draft_add(const DraftPlace *place, Span name, Span command, const char *file);

/* A string in quotes, as YAML and JSON have it. */
void draft_add_quoted(Buf *out, Span text);

/* The services of a docker-compose.yml. */
void draft_read_compose(const DraftPlace *place);
