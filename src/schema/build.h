/* How descriptors become tables: the parts of one run of the builder. Private to pool.c and the
 * build*.c files.
 *
 * A run goes over all its files twice: first every symbol is declared, so that types may refer to
 * each other in any order, then every message and service is filled in. What stays lies in
 * `tables`; what the run alone needs lies in `scratch`. */
#pragma once

#include "base/array.h"
#include "base/map.h"
#include "schema/descriptor.h"
#include "schema/feature_set.h"

/* Longest full name: bounds what long names in deep nests can make us write. */
#define BUILD_NAME_MAX 1000

typedef enum SymbolKind {
    SYMBOL_MESSAGE,
    SYMBOL_ENUM,
    SYMBOL_ENUM_VALUE,
    SYMBOL_SERVICE,
    SYMBOL_METHOD,
} SymbolKind;

typedef struct Symbol Symbol;
struct Symbol {
    Span name; /* full */
    SymbolKind kind;
    const void *table; /* SchemaMessage, SchemaEnum or SchemaService; of a value or method where it
                        * belongs */
    const SchemaFile *file;
    Symbol *next; /* the one added before, in this run */
};

/* One use of a message as the type of a field. */
typedef struct MessageUse {
    uint32_t user; /* index of the message that has the field */
    uint32_t next; /* index + 1 of the next use of the same message; 0 = none */
} MessageUse;

typedef struct FilePlan {
    const PbFileDescriptorProto *proto;
    SchemaFile *table;
    SchemaService *services;
    Features features;
} FilePlan;

typedef struct MessagePlan {
    const PbDescriptorProto *proto;
    Features features;
    uint32_t first_use; /* index + 1 into uses; 0 = none */
} MessagePlan;

typedef struct Build {
    Map *files;   /* SchemaFile by name, of the pool */
    Map *symbols; /* Symbol by full name, of the pool */
    SchemaError *error;
    /* Bytes of names that may yet be written and looked up. Nested names repeat their scope, so a
     * short descriptor could otherwise ask for a great many. */
    size_t name_budget;
    Arena tables;
    Arena scratch;
    Symbol *added;
    ARRAY(FilePlan) plans;
    SchemaMessage *messages;    /* all messages of the run, in one piece … */
    MessagePlan *message_plans; /* … and how to fill them in */
    uint32_t message_count;
    ARRAY(MessageUse) uses;
} Build;

/* Builds tables for the files that are not in the pool yet and puts files and symbols into its
 * maps. On failure `build_undo` takes them out again. Either way `build_done` follows; it leaves
 * `tables` to the caller. */
int build_run(Build *build, const Span *descriptors, size_t count);
void build_undo(Build *build);
void build_done(Build *build);

/* States what is wrong with a symbol or file; returns -EINVAL. */
int build_refuse(Build *build, Span symbol, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A letter or '_', then those and digits. */
bool build_is_identifier(Span name);

/* "scope.name" in `tables`, or just the name when the scope is empty; NULL, the error stated,
 * when the name is no identifier, the whole is too long or the budget of names is used up. */
const char *build_full_name(Build *build, Span scope, Span name);

/* Makes a symbol known; -EINVAL, the error stated, when its name is taken. */
int build_declare(Build *build, const char *full_name, SymbolKind kind, const void *table,
                  const SchemaFile *file);

/* What a type name means inside a scope; NULL when nothing of that name is known, or when the
 * budget of names is used up. */
const Symbol *build_resolve(Build *build, Span scope, Span type_name);

/* Declares and fills in an enum, whose table has `file` and `closed` already. */
int build_enum(Build *build, SchemaEnum *table, Span scope, const PbEnumDescriptorProto *proto);

/* Fills in message `index`. */
int build_message(Build *build, uint32_t index);

/* Lays out the struct of a message whose fields and oneofs are known but for their offsets. */
void build_layout(SchemaMessage *message, SchemaField *fields, SchemaOneof *oneofs);

/* The image of a new message, from its proto2 defaults. `protos` are in the order of the fields. */
int build_initial(Build *build, SchemaMessage *message,
                  const PbFieldDescriptorProto *const *protos);

/* Fills in a service declared before. */
int build_service(Build *build, SchemaService *service, const PbServiceDescriptorProto *proto);

/* Which well-known type the name stands for, and whether the table has the shape of one. */
SchemaWellKnown well_known_by_name(Span full_name);
bool well_known_fits(const SchemaMessage *message);
