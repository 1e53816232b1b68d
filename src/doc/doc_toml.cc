/* TOML by toml++, with exceptions, which end here. Some malformed keys run into the assertions of
 * its parser (3.3.0); these are made exceptions too. */
#include <stdexcept>

#define TOML_ASSERT(condition)        ((condition) ? void() : throw std::logic_error(#condition))
#define TOML_ASSERT_ASSUME(condition) TOML_ASSERT(condition)
#define TOML_EXCEPTIONS               1
#define TOML_MAX_NESTED_VALUES        64
#include <algorithm>
#include <cerrno>
#include <sstream>
#include <vector>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wterminate" /* assertions in what cannot throw still end it all */
#include <toml++/toml.h>
#pragma GCC diagnostic pop

extern "C" {
#include "base/text.h"
#include "doc/doc_build.h"
}

static_assert(TOML_MAX_NESTED_VALUES == DOC_DEPTH_MAX);

namespace {

Span to_span(std::string_view text) {
    return span(text.data(), text.size());
}

struct Reader {
    DocBuilder *builder;

    DocPlace place(const toml::source_region &region) const {
        return doc_place(builder, region.begin.line, region.begin.column);
    }

    int put(DocKind kind, const toml::node &node, std::string_view text) {
        return doc_put(builder, doc_node(builder, kind, place(node.source()), to_span(text)));
    }

    int flag(const toml::value<bool> &value) {
        DocNode *node = doc_node(builder, DOC_BOOL, place(value.source()),
                                 value.get() ? SPAN("true") : SPAN("false"));
        node->flag = value.get();
        return doc_put(builder, node);
    }

    int integer(const toml::value<int64_t> &value) {
        char text[20];
        DocNode *node = doc_node(builder, DOC_INTEGER, place(value.source()),
                                 span(text, format_i64(text, value.get())));
        node->integer = value.get();
        return doc_put(builder, node);
    }

    int real(const toml::value<double> &value) {
        char text[FORMAT_DOUBLE_MAX];
        double number = value.get();
        Span written = number != number        ? SPAN("nan")
                       : number > __DBL_MAX__  ? SPAN("inf")
                       : number < -__DBL_MAX__ ? SPAN("-inf")
                                               : span(text, format_double(text, number));
        DocNode *node = doc_node(builder, DOC_DOUBLE, place(value.source()), written);
        node->real = number;
        return doc_put(builder, node);
    }

    template <typename Time> int time(const toml::node &node, const Time &value) {
        std::ostringstream text;
        text << value;
        return put(DOC_STRING, node, text.str());
    }

    int list(const toml::array &array) {
        if (int result = doc_open(builder, DOC_LIST, place(array.source())))
            return result;
        for (const toml::node &item : array)
            if (int result = value(item))
                return result;
        return doc_close(builder) ? 0 : builder->failed;
    }

    /* toml++ sorts keys by name; the file's order is that of their places. */
    int map(const toml::table &table) {
        if (int result = doc_open(builder, DOC_MAP, place(table.source())))
            return result;
        std::vector<std::pair<const toml::key *, const toml::node *>> entries;
        for (auto &&[key, item] : table)
            entries.emplace_back(&key, &item);
        std::stable_sort(entries.begin(), entries.end(), [](const auto &a, const auto &b) {
            return a.first->source().begin < b.first->source().begin;
        });
        for (const auto &[key, item] : entries) {
            doc_key(builder, to_span(key->str()), place(key->source()));
            if (int result = value(*item))
                return result;
        }
        return doc_close(builder) ? 0 : builder->failed;
    }

    int value(const toml::node &node) {
        switch (node.type()) {
        case toml::node_type::table:
            return map(*node.as_table());
        case toml::node_type::array:
            return list(*node.as_array());
        case toml::node_type::string:
            return put(DOC_STRING, node, node.as_string()->get());
        case toml::node_type::integer:
            return integer(*node.as_integer());
        case toml::node_type::floating_point:
            return real(*node.as_floating_point());
        case toml::node_type::boolean:
            return flag(*node.as_boolean());
        case toml::node_type::date:
            return time(node, node.as_date()->get());
        case toml::node_type::time:
            return time(node, node.as_time()->get());
        case toml::node_type::date_time:
            return time(node, node.as_date_time()->get());
        case toml::node_type::none:
            break;
        }
        return doc_fail(builder, -EBADMSG, place(node.source()), "a value of no known type");
    }
};

} // namespace

extern "C" int doc_read_toml(DocBuilder *builder) {
    Span text = builder->text;
    try {
        toml::table table = toml::parse(std::string_view(text.len ? text.ptr : "", text.len));
        return Reader{builder}.map(table);
    } catch (const toml::parse_error &error) {
        std::string_view reason = error.description();
        const toml::source_position &at = error.source().begin;
        return doc_fail(builder, -EBADMSG, doc_place(builder, at.line, at.column), "%.*s",
                        (int)reason.size(), reason.data());
    } catch (const std::logic_error &) {
        return doc_fail(builder, -EBADMSG, doc_place(builder, 0, 0), "not TOML");
    }
}
