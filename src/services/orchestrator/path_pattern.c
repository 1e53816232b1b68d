#include "services/orchestrator/path_pattern.h"

/* The pattern from `p` on means the text from `t` on, or a folder that it lies in. Stars are tried
 * from the shortest on; the one before the last never needs another try, but for "**", which may
 * take what "*" cannot. */
static bool match(const char *p, const char *p_end, const char *t, const char *t_end) {
    while (p < p_end) {
        if (*p == '*') {
            bool deep = p + 1 < p_end && p[1] == '*';
            p += deep ? 2 : 1;
            if (deep && p < p_end && *p == '/' && match(p + 1, p_end, t, t_end))
                return true; /* a "**" between slashes may stand for nothing */
            for (const char *at = t;; at++) {
                if (match(p, p_end, at, t_end))
                    return true;
                if (at == t_end || (!deep && *at == '/'))
                    return false;
            }
        }
        if (t == t_end || (*p == '?' ? *t == '/' : *p != *t))
            return false;
        p++;
        t++;
    }
    return t == t_end || *t == '/';
}

bool path_matches(Span pattern, Span path) {
    while (pattern.len > 1 && pattern.ptr[pattern.len - 1] == '/')
        pattern.len--;
    return match(pattern.ptr, span_end(pattern), path.ptr, span_end(path));
}

bool path_is_ignored(Span pattern, Span path) {
    if (path_matches(pattern, path))
        return true;
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] == '/' && path_matches(pattern, span_skip(path, i + 1)))
            return true;
    return false;
}

Span path_pattern_root(Span pattern) {
    size_t end = pattern.len, slash = 0;
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.ptr[i] == '*' || pattern.ptr[i] == '?') {
            end = slash;
            break;
        }
        if (pattern.ptr[i] == '/')
            slash = i;
    }
    return span(pattern.ptr, end);
}
