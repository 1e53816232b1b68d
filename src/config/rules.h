/* The one table of everything that a configuration may say. From it come the reader (read_value.c),
 * the values and their origins (values.c), the JSON schema (schema.c) and docs/configuration.md
 * (reference.c). */
#pragma once

#include "config/config.h"

/* How a value is written, and what it becomes. */
typedef enum RuleType {
    RULE_STRING,   /* Span */
    RULE_NAME,     /* Span: letters, digits, '.', '_', '-' */
    RULE_TEXT,     /* ConfigText */
    RULE_PATH,     /* Span: made absolute */
    RULE_BOOL,     /* bool */
    RULE_INTEGER,  /* int32_t, within least and most */
    RULE_COUNT,    /* int64_t, likewise */
    RULE_REAL,     /* double, likewise */
    RULE_DURATION, /* Nanos, likewise in milliseconds */
    RULE_MILLIS,   /* Nanos, also as a number of milliseconds */
    RULE_SIZE,     /* int64_t, within least and most */
    RULE_CHOICE,   /* int32_t: one of `choices` */
    RULE_SIGNAL,   /* int32_t */
    RULE_PATTERN,  /* Span: a regular expression */
    RULE_STRINGS,  /* ConfigSpans: one string or a list */
    RULE_PATTERNS, /* ConfigSpans: regular expressions */
    RULE_PATHS,    /* ConfigSpans: made absolute */
    RULE_CODES,    /* ConfigNumbers: exit codes, one or a list */
    RULE_COMMAND,  /* ConfigCommand: a string or a list */
    RULE_LABELS,   /* ConfigLabels */
    RULE_CRON,     /* ConfigSchedule: `cron` and `when` */
    RULE_SECTION,  /* the fields of `section` */
    RULE_OWN,      /* whatever `read` makes of it; `form` says how it is written */
} RuleType;

typedef struct Choice {
    const char *name;
    int32_t value; /* several names may have one value; the first is how we write it */
} Choice;

typedef struct Reader Reader;
typedef struct Rule Rule;

typedef struct RuleSet {
    const Rule *rules; /* ended by one without a name */
    /* The field that is meant where a section is written as a bare value; NULL: none. */
    const char *brief;
} RuleSet;

struct Rule {
    const char *name;
    const char *aliases; /* other spellings, separated by blanks; NULL: none */
    RuleType type;
    uint16_t offset; /* in ServiceConfig or Config, whatever section it stands in */
    bool run;        /* a running process has it, so that a change needs a restart */
    bool hidden;     /* another way to say what another field says: no value of its own */
    int64_t least, most;
    const Choice *choices;
    const RuleSet *section;
    const char *fallback; /* the default as it would be written; NULL: empty, 0, false */
    void (*read)(Reader *reader, const Rule *rule, const DocEntry *entry, void *base);
    void (*print)(const Rule *rule, const void *base, Buf *out,
                  bool secrets); /* as JSON; nothing: no value */
    const char *form;            /* RULE_OWN: its JSON schema */
    const char *about;           /* for the reference; ends without a point */
};

extern const RuleSet PROJECT_RULES, SERVICE_RULES, CHECK_RULES;

/* The rule for a key, by name or alias; NULL when there is none. */
const Rule *rule_find(const RuleSet *set, Span key);

/* The name in a set nearest to a mistyped key; NULL when none is near. */
const char *rule_nearest(const RuleSet *set, Span key);

/* Appends the value that `base` (a ServiceConfig or Config) has for a rule, as JSON; nothing where
 * it has none. With `secrets` false, what is secret is left out as "***". */
void rule_print(const Rule *rule, const void *base, Buf *out, bool secrets);

/* Appends all values of a set, in a form of their own that is equal only for equal values: all of
 * them, and those that a running process has. */
void rules_digest(const RuleSet *set, const void *base, Buf *all, Buf *run);
