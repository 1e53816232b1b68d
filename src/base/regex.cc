#include "base/regex.h"

#include <errno.h>
#include <re2/filtered_re2.h>
#include <re2/re2.h>

#include <memory>
#include <string>
#include <vector>

#define ATOM_MIN 3 /* characters */

struct Regex {
    re2::RE2 re2;
    std::unique_ptr<re2::FilteredRE2> filter; /* set where there are atoms */
    std::vector<std::string> atoms;
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

/* Whether upper and lower case are a matter of ASCII in it. RE2 makes lower case of all of Unicode,
 * the Kelvin sign among it, which an index of ASCII does not. */
static bool is_ascii(const re2::RE2 &re2) {
    const std::string &pattern = re2.pattern();
    for (size_t i = 0; i < pattern.size(); i++) {
        const char *at = pattern.c_str() + i;
        bool flags = at[0] == '(' && at[1] == '?' && at[2] != ':';
        bool rune = at[0] == '\\' && (at[1] == 'x' || at[1] == 'p' || at[1] == 'P');
        if (flags || rune || (unsigned char)at[0] >= 0x80)
            return false;
    }
    return re2.options().case_sensitive() && !re2.options().literal();
}

void regex_find_atoms(Regex *regex) {
    int number;
    if (!is_ascii(regex->re2))
        return;
    auto filter = std::make_unique<re2::FilteredRE2>(ATOM_MIN);
    if (filter->Add(regex->re2.pattern(), regex->re2.options(), &number) != re2::RE2::NoError)
        return;
    filter->Compile(&regex->atoms);
    if (regex->atoms.size() > REGEX_ATOMS_MAX)
        regex->atoms.clear();
    if (!regex->atoms.empty())
        regex->filter = std::move(filter);
}

size_t regex_atom_count(const Regex *regex) {
    return regex->atoms.size();
}

Span regex_atom(const Regex *regex, size_t number) {
    return span(regex->atoms[number].data(), regex->atoms[number].size());
}

bool regex_may_match(const Regex *regex, uint64_t atoms) {
    std::vector<int> there, possible;
    for (size_t i = 0; i < regex->atoms.size(); i++)
        if (atoms >> i & 1)
            there.push_back(static_cast<int>(i));
    if (!regex->filter || there.size() == regex->atoms.size())
        return true;
    regex->filter->AllPotentials(there, &possible);
    return !possible.empty();
}
