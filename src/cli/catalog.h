/* What a peer offers: its services and types, from its reflection (grpc.reflection.v1, else
 * v1alpha) or from a file. Types are fetched when they are asked for.
 *
 * Functions that fail have said why on stderr and return an exit code. */
#pragma once

#include "cli/peer.h"
#include "schema/pool.h"

typedef struct Catalog {
    Peer *peer;
    SchemaPool *pool;
    ARRAY(Span) files;    /* serialised FileDescriptorProtos, as they came, comments included */
    ARRAY(Span) names;    /* theirs */
    ARRAY(Span) services; /* full names */
    Channel *channel;     /* reflection's */
    const SchemaMethod *reflection; /* the version that answers; NULL: types are from a file */
} Catalog;

int catalog_open(Catalog *catalog, Peer *peer);
void catalog_close(Catalog *catalog);

/* "package.Service/Method", "package.Service.Method", or with as little of the service's name as
 * tells it from others: "Health/Check". */
int catalog_method(Catalog *catalog, const char *name, const SchemaMethod **ret);

/* Makes a service, method or type known; its full name, without a leading dot. */
int catalog_symbol(Catalog *catalog, const char *name, Span *ret);

/* Makes all services known. */
int catalog_all(Catalog *catalog);
