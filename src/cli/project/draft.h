/* A first muster.yaml, from what lies in a folder: a Procfile, docker-compose.yml, or the files by
 * which languages know their projects, here and one folder below. */
#pragma once

#include "base/array.h"
#include "base/buf.h"

typedef struct DraftService {
    Span name;                    /* letters, digits, '.', '_' and '-' */
    Span command;                 /* for the shell; empty where it is external */
    Span folder;                  /* relative to the project's; empty: the same */
    Span reason;                  /* what it was made of: "api/package.json" */
    Span environment, depends_on; /* as YAML; empty: none */
    int64_t port;                 /* 0 = none known */
    bool external;                /* only probed */
} DraftService;

typedef struct Draft {
    Arena arena;
    ARRAY(DraftService) services;
} Draft;

/* Looks into the folder. */
void draft_read(Draft *draft, const char *folder);

/* Appends the file. Without services: one as an example. */
void draft_write(const Draft *draft, Buf *out);

void draft_done(Draft *draft);
