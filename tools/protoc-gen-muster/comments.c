#include "comments.h"

typedef struct Comment {
    Span symbol;
    Span text;
} Comment;

/* Field numbers of the lists that a location's path walks through. */
enum { FILE_MESSAGE = 4, FILE_ENUM = 5, FILE_SERVICE = 6 };
enum { MESSAGE_FIELD = 2, MESSAGE_NESTED = 3, MESSAGE_ENUM = 4, MESSAGE_ONEOF = 8 };
enum { ENUM_VALUE = 2, SERVICE_METHOD = 2 };

static Span comment_key(const void *item) {
    return ((const Comment *)item)->symbol;
}

static void add_name(Buf *out, Span name) {
    if (out->len && name.len)
        buf_add_char(out, '.');
    buf_add(out, name);
}

/* The item that path[0] (a list) and path[1] (an index) lead to; false when there is none. */
#define STEP(list)                                                                                 \
    (index < (uint32_t)(list).count                                                                \
         ? (add_name(name, (list).items[index].name), &(list).items[index])                        \
         : NULL)

static bool name_in_enum(const PbEnumDescriptorProto *item, const int32_t *path, size_t steps,
                         Buf *name) {
    if (!item || steps == 0)
        return item;
    uint32_t index = (uint32_t)path[1];
    return steps == 1 && path[0] == ENUM_VALUE && STEP(item->value);
}

static bool name_in_service(const PbServiceDescriptorProto *item, const int32_t *path, size_t steps,
                            Buf *name) {
    if (!item || steps == 0)
        return item;
    uint32_t index = (uint32_t)path[1];
    return steps == 1 && path[0] == SERVICE_METHOD && STEP(item->method);
}

static bool name_in_message(const PbDescriptorProto *item, const int32_t *path, size_t steps,
                            Buf *name) {
    if (!item || steps == 0)
        return item;
    uint32_t index = (uint32_t)path[1];
    switch (path[0]) {
    case MESSAGE_FIELD:
        return steps == 1 && STEP(item->field);
    case MESSAGE_ONEOF:
        return steps == 1 && STEP(item->oneof_decl);
    case MESSAGE_NESTED:
        return name_in_message(STEP(item->nested_type), path + 2, steps - 1, name);
    case MESSAGE_ENUM:
        return name_in_enum(STEP(item->enum_type), path + 2, steps - 1, name);
    default:
        return false;
    }
}

/* Each step of a path is a list and an index in it. */
static bool name_in_file(const PbFileDescriptorProto *file, const int32_t *path, size_t steps,
                         Buf *name) {
    if (steps == 0)
        return false;
    uint32_t index = (uint32_t)path[1];
    add_name(name, file->package);
    switch (path[0]) {
    case FILE_MESSAGE:
        return name_in_message(STEP(file->message_type), path + 2, steps - 1, name);
    case FILE_ENUM:
        return name_in_enum(STEP(file->enum_type), path + 2, steps - 1, name);
    case FILE_SERVICE:
        return name_in_service(STEP(file->service), path + 2, steps - 1, name);
    default:
        return false;
    }
}

void comments_init(Comments *comments, const PbFileDescriptorProto *file, Arena *arena) {
    comments->arena = arena;
    map_init(&comments->by_symbol, comment_key, 0);
    if (!file->source_code_info)
        return;
    for (size_t i = 0; i < file->source_code_info->location.count; i++) {
        const PbSourceCodeInfoLocation *at = &file->source_code_info->location.items[i];
        Span text = at->leading_comments.len ? at->leading_comments : at->trailing_comments;
        Buf name = {.arena = arena};
        if (text.len == 0 || at->path.count % 2 ||
            !name_in_file(file, at->path.items, at->path.count / 2, &name))
            continue;
        Comment *comment = arena_alloc(arena, sizeof *comment);
        *comment = (Comment){buf_span(&name), text};
        map_put(&comments->by_symbol, comment);
    }
}

void comments_done(Comments *comments) {
    map_done(&comments->by_symbol);
}

static Span take_line(Span *text) {
    const char *end = memchr(text->ptr, '\n', text->len);
    Span line = span(text->ptr, end ? (size_t)(end - text->ptr) : text->len);
    *text = span_skip(*text, line.len + 1);
    while (line.len && (line.ptr[line.len - 1] == ' ' || line.ptr[line.len - 1] == '\r'))
        line.len--;
    return line;
}

/* What would end the comment early, or open another in it, is drawn apart. */
static void add_line(Buf *out, Span line) {
    for (size_t i = 0; i < line.len; i++) {
        bool apart = i > 0 && ((line.ptr[i - 1] == '*' && line.ptr[i] == '/') ||
                               (line.ptr[i - 1] == '/' && line.ptr[i] == '*'));
        if (apart)
            buf_add_char(out, ' ');
        buf_add_char(out, line.ptr[i]);
    }
}

void comments_print(const Comments *comments, Buf *out, const char *scope, const char *member,
                    int indent) {
    Buf name = {.arena = comments->arena};
    add_name(&name, span_of(scope));
    add_name(&name, span_of(member));
    const Comment *comment = map_get(&comments->by_symbol, buf_span(&name));
    if (!comment)
        return;
    Span text = comment->text;
    while (text.len && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == ' '))
        text.len--;
    buf_printf(out, "%*s/*", indent, "");
    for (bool first = true; text.len; first = false) {
        Span line = take_line(&text);
        if (!first)
            buf_printf(out, "\n%*s *", indent, "");
        if (line.len && line.ptr[0] != ' ')
            buf_add_char(out, ' ');
        add_line(out, line);
    }
    buf_add_literal(out, " */\n");
}
