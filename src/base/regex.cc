#include "base/regex.h"

#include <errno.h>
#include <re2/re2.h>

struct Regex {
    re2::RE2 re2;
    Regex(const re2::StringPiece &pattern, const re2::RE2::Options &options)
        : re2(pattern, options) {
    }
};

int regex_new(Span pattern, bool literal, bool ignore_case, Regex **ret, Buf *reason) {
    re2::RE2::Options options;
    options.set_literal(literal);
    options.set_case_sensitive(!ignore_case);
    options.set_log_errors(false);
    options.set_max_mem(4 << 20);
    Regex *regex = new Regex(re2::StringPiece(pattern.ptr, pattern.len), options);
    if (!regex->re2.ok()) {
        if (reason) {
            buf_clear(reason);
            buf_add(reason, span(regex->re2.error().data(), regex->re2.error().size()));
        }
        delete regex;
        return -EINVAL;
    }
    *ret = regex;
    return 0;
}

void regex_free(Regex *regex) {
    delete regex;
}

bool regex_find(const Regex *regex, Span text, size_t from, size_t *ret_begin, size_t *ret_end) {
    re2::StringPiece match, whole(text.ptr, text.len);
    if (!regex->re2.Match(whole, from, text.len, re2::RE2::UNANCHORED, &match, ret_begin ? 1 : 0))
        return false;
    if (ret_begin) {
        *ret_begin = static_cast<size_t>(match.data() - text.ptr);
        *ret_end = *ret_begin + match.size();
    }
    return true;
}
