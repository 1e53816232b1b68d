/* Malformed and malicious bytes: an error that names field and offset, never a crash, never more
 * memory than allowed. */
#include "base/test.h"

#include <errno.h>
#include <stdlib.h>

#include "schema/codec.h"
#include "schema/random_message.h"
#include "schema/sample.h"

#define E10 "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"

typedef struct Case {
    const char *name;
    Span bytes;
    size_t offset;
    const char *path;
    const char *reason;
} Case;

/* All are -EBADMSG. */
static const Case cases[] = {
    {"varint cut", SPAN("\x08\x80"), 1, "i32", "cut short"},
    {"varint missing", SPAN("\x08"), 1, "i32", "cut short"},
    {"varint of 11 bytes", SPAN("\x08" E10 "\x01"), 1, "i32", "varint longer than 10 bytes"},
    {"bool of 11 bytes", SPAN("\x68" E10 "\x00"), 1, "flag", "varint longer than 10 bytes"},
    {"tag cut", SPAN("\x08\x01\x80"), 2, "", "cut short"},
    {"tag of 6 bytes", SPAN("\x88\x80\x80\x80\x80\x00"), 0, "", "tag longer than 5"},
    {"tag past 32 bits", SPAN("\x88\x80\x80\x80\x10"), 0, "", "field number 0 or past 536870911"},
    {"number 0", SPAN("\x00\x01"), 0, "", "field number 0"},
    {"number 0, two bytes", SPAN("\x80\x00\x01"), 0, "", "field number 0"},
    {"wire type 6, unknown field", SPAN("\xa6\x06"), 0, "", "wire type 6 or 7"},
    {"wire type 7, known field", SPAN("\x08\x01\x17"), 2, "i64", "wire type 6 or 7"},
    {"fixed32 cut", SPAN("\x3d\x01\x02\x03"), 1, "f32", "cut short"},
    {"fixed64 cut", SPAN("\x41\x01\x02\x03\x04\x05\x06\x07"), 1, "f64", "cut short"},
    {"length past the end",
     SPAN("\x72\x05"
          "ab"),
     1, "text", "length 5 where 2 bytes are left"},
    {"length 2^31", SPAN("\x72\x80\x80\x80\x80\x08"), 1, "text",
     "length 2147483648 where 0 bytes are left"},
    {"length 2^63", SPAN("\x7a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), 1, "data",
     "length 9223372036854775808 where 0 bytes are left"},
    {"length 2^64 - 1", SPAN("\x8a\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 2, "sub",
     "length 18446744073709551615 where 0 bytes are left"},
    {"length of 11 bytes", SPAN("\x72" E10 "\x00"), 1, "text", "varint longer than 10 bytes"},
    {"submessage past its parent", SPAN("\x8a\x01\x03\x8a\x01\x05\x08\x01\x08\x01\x08"), 5,
     "sub.sub", "length 5 where 0 bytes are left"},
    {"field cut by its message", SPAN("\x8a\x01\x01\x08\x01"), 4, "sub.i32", "cut short"},
    {"not UTF-8",
     SPAN("\x72\x03"
          "a\xff"
          "b"),
     3, "text", "not valid UTF-8"},
    {"surrogate", SPAN("\x72\x03\xed\xa0\x80"), 2, "text", "not valid UTF-8"},
    {"cut UTF-8",
     SPAN("\x72\x0a"
          "12345678\xe2\x82"),
     10, "text", "not valid UTF-8"},
    {"not UTF-8 in a list",
     SPAN("\xa2\x01\x01"
          "a\xa2\x01\x01\xff"),
     7, "words[1]", "not valid UTF-8"},
    {"not UTF-8 in a oneof", SPAN("\xca\x01\x01\xff"), 3, "name", "not valid UTF-8"},
    {"not UTF-8 in a key", SPAN("\xba\x01\x03\x0a\x01\xff"), 5, "labels[\"\"]", "not valid UTF-8"},
    {"not UTF-8 in a value",
     SPAN("\xba\x01\x07\x0a\x02"
          "eu\x12\x01\xff"),
     9, "labels[\"eu\"]", "not valid UTF-8"},
    {"deep inside",
     SPAN("\xaa\x01\x00\xaa\x01\x0e\x8a\x01\x0b\xc2\x01\x08\x08\x05\x12\x04\x9a\x01"
          "\x01\x80"),
     19, "subs[1].sub.by_id[\"-3\"].numbers[0]", "cut short"},
    {"packed varint cut", SPAN("\x9a\x01\x03\x01\x02\x80"), 5, "numbers[2]", "cut short"},
    {"packed closed enum cut", SPAN("\xfa\x01\x02\x01\x80"), 4, "closeds[1]", "cut short"},
    {"packed fixed64 of 9 bytes", SPAN("\xb2\x01\x09\x01\x02\x03\x04\x05\x06\x07\x08\x09"), 2,
     "stamps[0]", "length that is no multiple of the packed elements' size"},
    {"entry past the end", SPAN("\xba\x01\x05\x0a"), 2, "labels",
     "length 5 where 1 bytes are left"},
    {"map in a wrong wire type, cut", SPAN("\xba\x01\x00\xb8\x01\x80"), 5, "labels", "cut short"},
    {"group not ended", SPAN("\xe3\x01\x08\x01"), 4, "group", "group without its end"},
    {"group ended as another", SPAN("\xe3\x01\x08\x01\xec\x01"), 4, "group.groups[0]",
     "end of a group that has not begun"},
    {"second group of a list", SPAN("\xeb\x01\xec\x01\xeb\x01\x08"), 7, "groups[1].i32",
     "cut short"},
    {"end without a group", SPAN("\x08\x01\xa4\x06"), 2, "", "end of a group that has not begun"},
    {"group ends its parent", SPAN("\x8a\x01\x02\xe4\x01"), 3, "sub.group",
     "end of a group that has not begun"},
    {"unknown group not ended", SPAN("\xa3\x06\x08\x01"), 4, "", "cut short"},
    {"unknown group ended as another", SPAN("\xa3\x06\x08\x01\xac\x06"), 4, "",
     "end of a group that has not begun"},
    {"unknown length past the end", SPAN("\xa2\x06\x02x"), 3, "", "cut short"},
    {"required", SPAN("\x08\x01\x92\x02\x00"), 5, "strict.id", "required field is not set"},
    {"required in a list", SPAN("\x9a\x02\x02\x08\x01\x9a\x02\x02\x10\x01"), 10, "stricts[1].id",
     "required field is not set"},
    {"required in a map",
     SPAN("\xaa\x02\x03\x0a\x01"
          "a"),
     6, "strict_by_name[\"a\"].id", "required field is not set"},
};

/* The bytes in memory of exactly their size, so that the sanitizer sees a read past them. */
static char *exact(Span bytes) {
    char *copy = malloc(bytes.len ? bytes.len : 1);
    memcpy(copy, bytes.ptr, bytes.len);
    return copy;
}

static void named_cases(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Case *c = &cases[i];
        Arena arena = {0};
        char *bytes = exact(c->bytes);
        void *message = &arena;
        SchemaError error;
        int status =
            schema_decode(&Sample_type, span(bytes, c->bytes.len), NULL, &arena, &message, &error);
        if (status != -EBADMSG)
            fail_msg("%s: status %d", c->name, status);
        if (strcmp(error.path, c->path) != 0 || error.offset != c->offset ||
            !strstr(error.reason, c->reason))
            fail_msg("%s: '%s' at %zu: %s", c->name, error.path, error.offset, error.reason);
        assert_ptr_equal(message, &arena);
        assert_int_equal(
            schema_decode(&Sample_type, span(bytes, c->bytes.len), NULL, &arena, &message, NULL),
            -EBADMSG);
        free(bytes);
        arena_done(&arena);
    }
}

/* ---- depth ---------------------------------------------------------------------------------- */

/* `depth` messages in each other, by the field of `tag` (two bytes); groups end with `end`. */
static Span nest(char *room, size_t size, const char *tag, const char *end, size_t depth) {
    char *at = room + size;
    for (size_t i = 0; i < depth; i++) {
        size_t length = (size_t)(room + size - at);
        if (end) {
            memcpy(room + 2 * i, tag, 2);
            memcpy(room + 2 * (2 * depth - i - 1), end, 2);
            continue;
        }
        if (length >= 0x80)
            *--at = (char)(length >> 7);
        *--at = (char)(length >= 0x80 ? length | 0x80 : length);
        at -= 2;
        memcpy(at, tag, 2);
    }
    return end ? span(room, 4 * depth) : span(at, (size_t)(room + size - at));
}

static void nesting_is_bounded(void **state) {
    (void)state;
    static const struct {
        const char *name, *tag, *end, *path;
    } kinds[] = {
        {"message", "\x8a\x01", NULL, "...sub.sub"},
        {"list", "\xaa\x01", NULL, "...s[0].subs[0]"},
        {"oneof", "\xda\x01", NULL, "...other.other"},
        {"group", "\xe3\x01", "\xe4\x01", "...group.group"},
        {"unknown group", "\xa3\x06", "\xa4\x06", ""},
    };
    char room[2048];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (size_t depth = 99; depth <= 102; depth++) {
            Arena arena = {0};
            void *message;
            SchemaError error;
            Span bytes = nest(room, sizeof room, kinds[i].tag, kinds[i].end, depth);
            int status = schema_decode(&Sample_type, bytes, NULL, &arena, &message, &error);
            if (status != (depth <= SCHEMA_DEPTH_MAX ? 0 : -ELOOP))
                fail_msg("%s, %zu deep: %d", kinds[i].name, depth, status);
            const char *end = strrchr(kinds[i].path, '.');
            if (status && !strstr(error.path, end ? end : ""))
                fail_msg("%s: '%s'", kinds[i].name, error.path);
            arena_done(&arena);
        }
        Arena arena = {0};
        void *message;
        Span bytes = nest(room, sizeof room, kinds[i].tag, kinds[i].end, 5);
        const SchemaDecode four = {.depth = 4}, five = {.depth = 5};
        assert_int_equal(schema_decode(&Sample_type, bytes, &four, &arena, &message, NULL), -ELOOP);
        assert_int_equal(schema_decode(&Sample_type, bytes, &five, &arena, &message, NULL), 0);
        arena_done(&arena);
    }
}

/* ---- every prefix, every flipped bit -------------------------------------------------------- */

static Span random_bytes_of(RandomMessage *random, Arena *arena) {
    Span bytes;
    void *message = random_message_new(random, &Sample_type, arena);
    assert_int_equal(schema_encode(&Sample_type, message, 0, arena, &bytes), 0);
    return bytes;
}

/* What comes out may be right or wrong, but an error lies inside the input. */
static void decode_anything(Span bytes) {
    Arena arena = {0};
    char *copy = exact(bytes);
    void *message;
    SchemaError error = {0};
    int status = schema_decode(&Sample_type, span(copy, bytes.len), NULL, &arena, &message, &error);
    if (status == 0)
        assert_true(schema_equal(&Sample_type, message, message));
    else
        assert_true(error.offset <= bytes.len && error.reason[0]);
    free(copy);
    arena_done(&arena);
}

static void every_prefix(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        Arena arena = {0};
        RandomMessage random = random_message(seed);
        random.depth = 2;
        Span bytes = random_bytes_of(&random, &arena);
        for (size_t len = 0; len < bytes.len && len < 3000; len++)
            decode_anything(span(bytes.ptr, len));
        arena_done(&arena);
    }
}

static void every_byte_changed(void **state) {
    (void)state;
    for (uint64_t seed = 100; seed < 110; seed++) {
        Arena arena = {0};
        RandomMessage random = random_message(seed);
        random.depth = 1;
        Span bytes = random_bytes_of(&random, &arena);
        char *changed = arena_alloc(&arena, bytes.len);
        for (size_t i = 0; i < bytes.len; i++) {
            memcpy(changed, bytes.ptr, bytes.len);
            changed[i] = (char)random_bits(&random);
            decode_anything(span(changed, bytes.len));
            changed[i] = (char)(bytes.ptr[i] ^ 0x80);
            decode_anything(span(changed, bytes.len));
        }
        arena_done(&arena);
    }
}

/* ---- 100 MB --------------------------------------------------------------------------------- */

#define MUCH   ((size_t)100 << 20)
#define MEMORY ((size_t)64 << 20)

/* MUCH bytes made of one piece over and over. */
static Span repeat(Span piece) {
    char *bytes = malloc(MUCH);
    size_t len = MUCH / piece.len * piece.len;
    memcpy(bytes, piece.ptr, piece.len);
    for (size_t done = piece.len; done < len;) {
        size_t more = done < len - done ? done : len - done;
        memcpy(bytes + done, bytes, more);
        done += more;
    }
    return span(bytes, len);
}

static void floods_stay_within_their_memory(void **state) {
    (void)state;
    static const struct {
        const char *name;
        Span piece;
        int status;
    } floods[] = {
        {"empty messages in a list", SPAN("\xaa\x01\x00"), -ENOMEM},
        {"two lists in turn", SPAN("\xaa\x01\x00\xa2\x01\x00"), -ENOMEM},
        {"one entry over and over", SPAN("\xba\x01\x00"), -ENOMEM},
        {"one entry and a list", SPAN("\xc2\x01\x00\xa2\x01\x00"), -ENOMEM},
        {"unknown fields between known ones", SPAN("\x08\x01\xa0\x06\x01"), -ENOMEM},
        {"unknown fields", SPAN("\xa0\x06\x01\xa2\x06\x01x"), 0},
        {"unlisted enums", SPAN("\xf0\x01\x07"), -ENOMEM},
        {"numbers that are not packed", SPAN("\x98\x01\x01"), -ENOMEM},
        {"a message merged over and over", SPAN("\x8a\x01\x00"), 0},
        {"a oneof that changes sides", SPAN("\xda\x01\x00\xd0\x01\x05"), -ENOMEM},
        {"groups that never end", SPAN("\xe3\x01"), -ELOOP},
        {"unknown groups that never end", SPAN("\xa3\x06"), -ELOOP},
        {"zeroes", SPAN("\x00"), -EBADMSG},
        {"bits", SPAN("\xff"), -EBADMSG},
    };
    for (size_t i = 0; i < sizeof floods / sizeof *floods; i++) {
        Arena arena = {0};
        SchemaError error;
        void *message;
        Span bytes = repeat(floods[i].piece);
        int status = schema_decode(&Sample_type, bytes, &(SchemaDecode){.memory = MEMORY}, &arena,
                                   &message, &error);
        if (status != floods[i].status)
            fail_msg("%s: status %d", floods[i].name, status);
        if (arena.taken > MEMORY)
            fail_msg("%s: took %zu bytes", floods[i].name, arena.taken);
        arena_done(&arena);
        free((char *)bytes.ptr);
    }
}

static void garbage_ends_in_an_error(void **state) {
    (void)state;
    RandomMessage random = random_message(7);
    char *bytes = malloc(MUCH);
    for (size_t i = 0; i < MUCH; i += 8) {
        uint64_t bits = random_bits(&random);
        memcpy(bytes + i, &bits, 8);
    }
    Arena arena = {0};
    for (size_t at = 0; at < MUCH; at += MUCH / 1000) {
        void *message;
        assert_true(schema_decode(&Sample_type, span(bytes + at, MUCH - at),
                                  &(SchemaDecode){.memory = MEMORY}, &arena, &message, NULL) < 0);
        assert_true(arena.taken <= 2 * MEMORY);
        arena_reset(&arena);
    }
    arena_done(&arena);
    free(bytes);
}

static void a_message_of_2_gib_is_refused(void **state) {
    (void)state;
    Arena arena = {0};
    void *message;
    SchemaError error;
    char byte = 0;
    assert_int_equal(
        schema_decode(&Sample_type, span(&byte, (size_t)1 << 31), NULL, &arena, &message, &error),
        -EMSGSIZE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_cases),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(every_prefix),
        cmocka_unit_test(every_byte_changed),
        cmocka_unit_test(floods_stay_within_their_memory),
        cmocka_unit_test(garbage_ends_in_an_error),
        cmocka_unit_test(a_message_of_2_gib_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
