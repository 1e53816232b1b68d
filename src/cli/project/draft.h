/* A first muster.yaml, from what lies in a folder: a Procfile, docker-compose.yml, or the files by
 * which languages know their projects, here and one folder below. */
#pragma once

#include "base/array.h"
#include "base/buf.h"

typedef struct DraftService {
    Span name;     /* letters, digits, '.', '_' and '-' */
    Span command;  /* for the shell; empty where it is external, or nobody knows */
    Span argv;     /* the same as a YAML list; empty: the command is a string */
    Span folder;   /* relative to the project's; empty: the same */
    Span reason;   /* what it was made of: "api/package.json" */
    Span more;     /* what else is known of it, as lines of YAML */
    bool port;     /* it gets one */
    bool external; /* only probed */
} DraftService;

typedef struct Draft {
    Arena arena;
    ARRAY(DraftService) services;
    ARRAY(Span) problems; /* files that could not be read: "docker-compose.yml:3:7: why" */
} Draft;

/* Looks into the folder. */
void draft_read(Draft *draft, const char *folder);

/* Appends the file. Without services: one as an example. */
void draft_write(const Draft *draft, Buf *out);

void draft_done(Draft *draft);
