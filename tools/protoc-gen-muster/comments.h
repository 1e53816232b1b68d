/* The comments of a .proto file, by what they stand at. */
#pragma once

#include "base/buf.h"
#include "base/map.h"
#include "schema/descriptor.h"

typedef struct Comments {
    Map by_symbol;
    Arena *arena;
} Comments;

void comments_init(Comments *comments, const PbFileDescriptorProto *file, Arena *arena);
void comments_done(Comments *comments);

/* Appends the comment of `scope` or, where `member` is given, of `scope.member` as a C comment
 * indented by `indent` blanks. Values are members of their enum here. Nothing where there is no
 * comment. */
void comments_print(const Comments *comments, Buf *out, const char *scope, const char *member,
                    int indent);
