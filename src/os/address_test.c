#include "base/test.h"
#include "os/address.h"

static void addresses_survive_a_round_trip(void **state) {
    (void)state;
    static const struct {
        const char *text;
        AddressKind kind;
        const char *host;
        uint16_t port;
    } cases[] = {
        {"127.0.0.1:50051", ADDRESS_TCP, "127.0.0.1", 50051},
        {"[::1]:0", ADDRESS_TCP, "::1", 0},
        {"[::]:65535", ADDRESS_TCP, "::", 65535},
        {"localhost:80", ADDRESS_TCP, "localhost", 80},
        {"my-host.example_2.org:1", ADDRESS_TCP, "my-host.example_2.org", 1},
        {"unix:/run/x.sock", ADDRESS_UNIX, "/run/x.sock", 0},
        {"unix:relative:with colons", ADDRESS_UNIX, "relative:with colons", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Address address;
        char text[ADDRESS_MAX];
        assert_true(address_parse(span_of(cases[i].text), &address));
        assert_int_equal(address.kind, cases[i].kind);
        assert_string_equal(address.host, cases[i].host);
        assert_int_equal(address.port, cases[i].port);
        assert_int_equal(address_format(&address, text, sizeof text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static void what_is_none_is_refused(void **state) {
    (void)state;
    static const Span cases[] = {
        SPAN(""),
        SPAN(":"),
        SPAN(":80"),
        SPAN("localhost"),
        SPAN("host:"),
        SPAN("host:65536"),
        SPAN("host:123456"),
        SPAN("host:-1"),
        SPAN("host:+1"),
        SPAN("host: 1"),
        SPAN("ho st:1"),
        SPAN("::1:80"),
        SPAN("[::1]"),
        SPAN("[::1:80"),
        SPAN("[]:80"),
        SPAN("[localhost]:80"),
        SPAN("[::1\0]:1"),
        SPAN("unix:"),
        SPAN("unix:a\0b"),
        SPAN("http://a:80"),
        SPAN("a/b:80"),
        SPAN("[1.2.3.4]:80"),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Address address = {.port = 7};
        if (address_parse(cases[i], &address))
            fail_msg("'%.*s' was taken for an address", SPAN_ARGS(cases[i]));
        assert_int_equal(address.port, 7);
    }
}

static void lengths_are_bounded(void **state) {
    (void)state;
    char text[400];
    Address address;
    memset(text, 'a', sizeof text);
    memcpy(text + 255, ":80", 3);
    assert_true(address_parse(span(text, 258), &address));
    char out[ADDRESS_MAX];
    assert_int_equal(address_format(&address, out, sizeof out), 258);
    assert_int_equal(address_format(&address, out, 10), 9);
    assert_string_equal(out, "aaaaaaaaa");

    text[255] = 'a';
    memcpy(text + 256, ":80", 3);
    assert_false(address_parse(span(text, 259), &address));

    memcpy(text, "unix:", 5);
    text[255] = text[256] = 'a';
    assert_true(address_parse(span(text, 5 + 107), &address));
    assert_false(address_parse(span(text, 5 + 108), &address));
}

static void loopback_is_known(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool loopback;
    } cases[] = {
        {"127.0.0.1:1", true},
        {"127.255.0.3:1", true},
        {"[::1]:1", true},
        {"LocalHost:1", true},
        {"unix:/x", true},
        {"[::ffff:127.0.0.1]:1", true},
        {"128.0.0.1:1", false},
        {"0.0.0.0:1", false},
        {"[::]:1", false},
        {"127.example.org:1", false},
        {"[::ffff:128.0.0.1]:1", false},
        {"localhost.example.org:1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Address address;
        assert_true(address_parse(span_of(cases[i].text), &address));
        if (address_is_loopback(&address) != cases[i].loopback)
            fail_msg("%s", cases[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_survive_a_round_trip),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(loopback_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
