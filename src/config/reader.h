/* What the parts of the reader share: the problems found so far, the place in the document, and
 * texts with variables. */
#pragma once

#include "base/array.h"
#include "base/map.h"
#include "base/nearest.h"
#include "config/rules.h"

/* Beyond these, files are refused. */
#define CONFIG_SERVICES_MAX  10000
#define CONFIG_PROBLEMS_MAX  500
#define CONFIG_VARIABLES_MAX 1000 /* of a service */
#define CONFIG_EXTENDS_MAX   16   /* levels of `extends` */
#define CONFIG_TEXT_MAX      (256 * 1024)

/* Shorter secrets are not looked for in other texts: they would be found everywhere. */
#define SECRET_MIN 4

/* A variable from an env file. */
typedef struct Variable {
    Span name, value;
    DocPlace place;
} Variable;
typedef ARRAY(Variable) Variables;
typedef ARRAY(ConfigVariable) Environment;

/* A "${ports.x}" that was left open: whether there is such a port is known in the end. */
typedef struct OpenName {
    size_t service; /* SIZE_MAX: the project's */
    Span name, path;
    DocPlace place;
} OpenName;

/* A service, or template, before its fields are read. */
typedef struct RawService {
    Span name;
    DocPlace place;
    const DocNode *node;     /* a map; as in the files, merged */
    const DocNode *complete; /* with all that it extends */
    bool template;
    bool resolving, resolved;
} RawService;

struct Reader {
    const ConfigOptions *options;
    const ConfigWorld *world;
    Arena *arena;
    Config *config;
    Map *services_by_name; /* ServiceConfig */

    ARRAY(RtConfigurationProblem) problems;
    size_t errors;
    Buf path; /* where the value stands that is being read */

    ARRAY(ConfigFile) files;
    ARRAY(Span) open_files; /* those being read, for `extends` */
    const DocNode *root;    /* of all files, merged */
    ARRAY(RawService *) raw;
    Map raw_by_name;

    Variables variables; /* of the project's env files */
    Map variables_by_name;
    Environment project_env;
    ARRAY(Span) secrets;
    Map secrets_seen; /* Span */

    /* Of the service that is being read. */
    size_t service; /* its index; SIZE_MAX: none */
    ARRAY(ConfigPort) ports;
    bool used_secret; /* the last text had a secret put in */
    ARRAY(OpenName) open_names;
};

/* ---- problems ---- */

void reader_problem(Reader *reader, RtProblemSeverity severity, DocPlace place, const char *format,
                    va_list args);
void reader_error(Reader *reader, DocPlace place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void reader_warn(Reader *reader, DocPlace place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void reader_note(Reader *reader, DocPlace place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What to do about the problem reported last. */
void reader_suggest(Reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "did you mean …?", where a name is near. */
void reader_suggest_name(Reader *reader, const Nearest *nearest);

/* Enters a field; gives what reader_leave needs. */
size_t reader_enter(Reader *reader, Span key);
void reader_leave(Reader *reader, size_t mark);

/* At most 60 bytes of a word, for messages. */
static inline Span shown(Span text) {
    return text.len <= 60 ? text : span(text.ptr, 60);
}

/* ---- texts ---- */

/* Puts variables into a text. False, with a problem, when that cannot be. */
bool reader_expand(Reader *reader, Span text, DocPlace place, ConfigText *ret);

/* A scalar as text, with variables put in; a problem for anything else. */
bool reader_text(Reader *reader, const DocNode *node, ConfigText *ret);

/* Likewise, and nothing in it may be left open. */
bool reader_string(Reader *reader, const DocNode *node, Span *ret);

/* A path made absolute against the project's folder, without "." and "..". */
Span reader_absolute(Reader *reader, Span folder, Span path);

/* A copy in the arena that a list may point to. */
#define FREEZE(reader, array, list)                                                                \
    do {                                                                                           \
        (list)->count = (array)->count;                                                            \
        (list)->items =                                                                            \
            (void *)arena_copy((reader)->arena,                                                    \
                               span((array)->items, (array)->count * sizeof *(array)->items))      \
                .ptr;                                                                              \
    } while (0)

/* ---- fields ---- */

/* Reads the fields of a map (or the brief form) by the rules of a set into `base`. */
void reader_fields(Reader *reader, const RuleSet *set, const DocNode *node, DocPlace place,
                   void *base);

/* Reads one value by its rule. */
void reader_value(Reader *reader, const Rule *rule, const DocEntry *entry, void *base);

/* Fills in all defaults of a set. */
void reader_defaults(Reader *reader, const RuleSet *set, void *base);

/* The entry of a field, by name or alias; NULL when there is none or it is empty. */
const DocEntry *reader_field(const RuleSet *set, const DocNode *map, const char *name);

/* A command of one node; `args` (may be NULL) are joined. */
bool reader_command(Reader *reader, const DocNode *node, const DocNode *args, ConfigCommand *ret);

/* Letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 64. */
bool is_name(Span name);

/* "must be WANTED, not a list" */
void reader_wrong_kind(Reader *reader, const DocNode *node, const char *wanted);

/* ---- steps of reading, in their order ---- */

/* read_files.c: all files into reader->root and reader->raw. */
void read_files(Reader *reader);

/* env_file.c: appends the variables of a file; a problem where it is not understood. */
void read_env_file(Reader *reader, Span path, Span text, Variables *out);

/* read_environment.c: the project's variables and secrets; then those of a service. */
void read_project_environment(Reader *reader);
void read_service_environment(Reader *reader, const DocNode *node, ServiceConfig *service);

/* read_services.c: reader->raw into config->services. */
void read_services(Reader *reader);

/* check.c: what no single value shows. */
void check_services(Reader *reader, ServiceConfig *services, size_t count);
