/* What a filter means for an entry. */
#include "base/text.h"
#include "services/logs/filter_tree.h"
#include "services/logs/fold.h"

static bool in_order(FilterOrder order, int compared) {
    switch (order) {
    case FILTER_EQUAL:
        return compared == 0;
    case FILTER_LESS:
        return compared < 0;
    case FILTER_LESS_EQUAL:
        return compared <= 0;
    case FILTER_GREATER:
        return compared > 0;
    case FILTER_GREATER_EQUAL:
        return compared >= 0;
    case FILTER_EXISTS:
        break;
    }
    return true;
}

static bool number_fits(const FilterNode *node, int64_t value) {
    return in_order(node->order, (value > node->number) - (value < node->number));
}

static bool run_fits(const FilterNode *node, int64_t run, int64_t last_run) {
    if (node->number > 0)
        return run > 0 && number_fits(node, run);
    int64_t wanted = last_run + 1 + node->number;
    return run > 0 && wanted > 0 && in_order(node->order, (run > wanted) - (run < wanted));
}

/* ---- attributes ---- */

static Span number_text(double number, char *scratch) {
    if (!(number - number == 0)) /* infinite, or none */
        return number > 0 ? SPAN("Infinity") : number < 0 ? SPAN("-Infinity") : SPAN("NaN");
    return span(scratch, format_double(scratch, number));
}

static bool value_text(const PbValue *value, char *scratch, Span *ret) {
    switch (value->which_kind) {
    case PbValue_string_value_number:
        *ret = value->string_value;
        return true;
    case PbValue_number_value_number:
        *ret = number_text(value->number_value, scratch);
        return true;
    case PbValue_bool_value_number:
        *ret = value->bool_value ? SPAN("true") : SPAN("false");
        return true;
    case PbValue_null_value_number:
        *ret = SPAN("null");
        return true;
    default:
        *ret = SPAN("");
        return value->which_kind != 0;
    }
}

static const PbValue *find_value(const PbStruct *object, Span name) {
    if (!object)
        return NULL;
    for (uint32_t i = 0; i < object->fields.count; i++)
        if (fold_equal(object->fields.items[i].key, name))
            return object->fields.items[i].value;
    for (size_t dot = 1; dot + 1 < name.len; dot++) {
        if (name.ptr[dot] != '.')
            continue;
        const PbValue *outer = NULL;
        for (uint32_t i = 0; i < object->fields.count && !outer; i++)
            if (fold_equal(object->fields.items[i].key, span(name.ptr, dot)))
                outer = object->fields.items[i].value;
        if (outer && outer->which_kind == PbValue_struct_value_number) {
            const PbValue *inner = find_value(outer->struct_value, span_skip(name, dot + 1));
            if (inner)
                return inner;
        }
    }
    return NULL;
}

bool filter_attribute(const RtLogEntry *entry, Span name, char *scratch, Span *ret) {
    const PbValue *value = find_value(entry->attributes, name);
    if (value)
        return value_text(value, scratch, ret);
    for (uint32_t i = 0; i < entry->metadata.count; i++)
        if (fold_equal(entry->metadata.items[i].key, name)) {
            *ret = entry->metadata.items[i].value;
            return true;
        }
    return false;
}

static bool attribute_fits(const FilterNode *node, const RtLogEntry *entry) {
    char scratch[FORMAT_DOUBLE_MAX];
    Span text;
    double wanted, value;
    if (!filter_attribute(entry, node->name, scratch, &text))
        return false;
    if (node->order == FILTER_EXISTS)
        return true;
    if (node->regex)
        return regex_find(node->regex, text, 0, NULL, NULL);
    if (parse_double(node->text, &wanted) && parse_double(text, &value))
        return in_order(node->order, (value > wanted) - (value < wanted));
    if (node->order == FILTER_EQUAL)
        return node->number ? fold_equal(text, node->text) : fold_glob(text, node->text);
    return in_order(node->order, span_compare(text, node->text));
}

/* ---- the tree ---- */

static bool text_fits(const FilterNode *node, Span message) {
    return node->regex ? regex_find(node->regex, message, 0, NULL, NULL)
                       : fold_contains(message, node->text);
}

static bool fits(const FilterNode *node, const RtLogEntry *entry, int64_t last_run) {
    switch (node->kind) {
    case FILTER_AND:
        for (const FilterNode *child = node->children; child; child = child->next)
            if (!fits(child, entry, last_run))
                return false;
        return true;
    case FILTER_OR:
        for (const FilterNode *child = node->children; child; child = child->next)
            if (fits(child, entry, last_run))
                return true;
        return false;
    case FILTER_NOT:
        return !fits(node->children, entry, last_run);
    case FILTER_TEXT:
        return text_fits(node, entry->message);
    case FILTER_REGEX:
        return regex_find(node->regex, entry->message, 0, NULL, NULL);
    case FILTER_SERVICE:
        return fold_glob(entry->service_name, node->text);
    case FILTER_INSTANCE:
        return fold_glob(entry->instance, node->text);
    case FILTER_CORRELATION:
        return span_equal(entry->correlation_id, node->text);
    case FILTER_LEVEL:
        return number_fits(node, entry->level);
    case FILTER_STREAM:
        return entry->stream == node->number;
    case FILTER_RUN:
        return run_fits(node, entry->run, last_run);
    case FILTER_TIME:
        return number_fits(node, entry->timestamp * NANOS_PER_MILLI + entry->nanoseconds);
    case FILTER_ATTRIBUTE:
        return attribute_fits(node, entry);
    }
    return false;
}

bool filter_matches(const Filter *filter, const RtLogEntry *entry, int64_t last_run) {
    return fits(filter->root, entry, last_run);
}

/* ---- at a glance ---- */

static FilterGuess sure(bool yes) {
    return yes ? FILTER_YES : FILTER_NO;
}

/* Escapes and control characters: the message may have bytes then that the raw bytes have not. */
static bool is_disguised(Span raw) {
    unsigned odd = 0;
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = (unsigned char)raw.ptr[i];
        odd |= (c == '\\') | ((c < 0x20) & (c != '\t') & (c != '\n')) | (c == 0x7f);
    }
    return odd;
}

/* A message that contains the needle is made of bytes that do, unless something was taken away,
 * written as an escape, or hidden ('*'). */
static FilterGuess glance_text(const FilterNode *node, const FilterGlance *glance) {
    if (!glance->raw.ptr || node->regex || memchr(node->text.ptr, '*', node->text.len) ||
        fold_contains(glance->raw, node->text))
        return FILTER_MAYBE;
    return glance->stream != RT_LOG_STREAM_STRUCTURED && is_disguised(glance->raw) ? FILTER_MAYBE
                                                                                   : FILTER_NO;
}

static FilterGuess glance_id(const FilterNode *node, const FilterGlance *glance) {
    if (!glance->raw.ptr ||
        memmem(glance->raw.ptr, glance->raw.len, node->text.ptr, node->text.len))
        return FILTER_MAYBE;
    /* One of output may be cut or masked. */
    return glance->stream != RT_LOG_STREAM_STRUCTURED &&
                   (is_disguised(glance->raw) || memchr(node->text.ptr, '*', node->text.len) ||
                    node->text.len > 100)
               ? FILTER_MAYBE
               : FILTER_NO;
}

FilterGuess filter_glance_node(const FilterNode *node, const FilterGlance *glance) {
    FilterGuess guess = FILTER_YES, one;
    switch (node->kind) {
    case FILTER_AND:
        for (const FilterNode *child = node->children; child; child = child->next) {
            one = filter_glance_node(child, glance);
            if (one == FILTER_NO)
                return FILTER_NO;
            guess = one == FILTER_MAYBE ? one : guess;
        }
        return guess;
    case FILTER_OR:
        guess = FILTER_NO;
        for (const FilterNode *child = node->children; child; child = child->next) {
            one = filter_glance_node(child, glance);
            if (one == FILTER_YES)
                return FILTER_YES;
            guess = one == FILTER_MAYBE ? one : guess;
        }
        return guess;
    case FILTER_NOT:
        one = filter_glance_node(node->children, glance);
        return one == FILTER_MAYBE ? one : one == FILTER_YES ? FILTER_NO : FILTER_YES;
    case FILTER_SERVICE:
        return sure(fold_glob(glance->service, node->text));
    case FILTER_INSTANCE:
        return sure(fold_glob(glance->instance, node->text));
    case FILTER_LEVEL:
        return sure(number_fits(node, glance->level));
    case FILTER_STREAM:
        return sure(glance->stream == node->number);
    case FILTER_RUN:
        return sure(run_fits(node, glance->run, glance->last_run));
    case FILTER_TIME:
        return sure(number_fits(node, glance->time));
    case FILTER_TEXT:
        return glance_text(node, glance);
    case FILTER_CORRELATION:
        return glance_id(node, glance);
    case FILTER_REGEX:
    case FILTER_ATTRIBUTE:
        break;
    }
    return FILTER_MAYBE;
}

FilterGuess filter_glance(const Filter *filter, const FilterGlance *glance) {
    return filter_glance_node(filter->root, glance);
}
