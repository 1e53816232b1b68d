/* What tests of the configuration share: a world of files and variables in memory. */
#pragma once

#include <errno.h>

#include "base/array.h"
#include "base/test.h"
#include "config/config.h"

typedef struct KitFile {
    Span path, text;
} KitFile;

typedef struct Kit {
    KitFile files[8];
    size_t file_count;
    const char *variables[8]; /* "NAME=value" */
} Kit;

static inline int kit_read(void *owner, const char *path, Buf *out) {
    const Kit *kit = owner;
    for (size_t i = 0; i < kit->file_count; i++) {
        if (!span_equal(kit->files[i].path, span_of(path)))
            continue;
        buf_add(out, kit->files[i].text);
        return 0;
    }
    return -ENOENT;
}

static inline bool kit_variable(void *owner, Span name, Span *ret) {
    const Kit *kit = owner;
    for (size_t i = 0; i < 8 && kit->variables[i]; i++) {
        Span text = span_of(kit->variables[i]);
        if (!span_starts(text, name) || text.ptr[name.len] != '=')
            continue;
        *ret = span_skip(text, name.len + 1);
        return true;
    }
    return false;
}

static inline void kit_add(Kit *kit, const char *path, Span text) {
    kit->files[kit->file_count++] = (KitFile){span_of(path), text};
}

/* Reads the first `count` files of the kit. */
static inline int kit_config(Kit *kit, size_t count, const Config **ret, ConfigReport *report) {
    RtConfigurationFile files[8] = {0};
    ConfigWorld world = {kit, kit_read, kit_variable};
    for (size_t i = 0; i < count; i++)
        files[i].path = kit->files[i].path;
    ConfigOptions options = {.world = &world, .files = files, .file_count = count, .number = 1};
    return config_read(&options, ret, report);
}

/* "LINE:COLUMN: message: suggestion", a line each; warnings and notes say so. Other files than the
 * one that is read are named. */
static inline void kit_print_problems(const ConfigReport *report, Span file, Buf *out) {
    static const char *const KINDS[] = {"", "", "warning: ", "note: "};
    for (size_t i = 0; i < report->problems.count; i++) {
        const RtConfigurationProblem *problem = &report->problems.items[i];
        if (!span_equal(problem->file, file))
            buf_printf(out, "%.*s:", SPAN_ARGS(problem->file));
        buf_printf(out, "%d:%d: %s%.*s", problem->line, problem->column, KINDS[problem->severity],
                   SPAN_ARGS(problem->message));
        if (problem->suggestion.len)
            buf_printf(out, ": %.*s", SPAN_ARGS(problem->suggestion));
        buf_add_char(out, '\n');
    }
}
