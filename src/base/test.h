/* What a unit test includes: cmocka and a few assertions of ours. A test file is a program of
 * its own beside what it tests (foo.c, foo_test.c); its main runs one group and exits with the
 * number of failures. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/span.h"

#define assert_span(actual, text)                                                                  \
    do {                                                                                           \
        Span actual_ = (actual), wanted_ = span_of(text);                                          \
        if (!span_equal(actual_, wanted_))                                                         \
            fail_msg("got '%.*s', want '%.*s'", SPAN_ARGS(actual_), SPAN_ARGS(wanted_));           \
    } while (0)
