#include "base/hash.h"

#include "base/test.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static void is_wyhash(void **state) {
    (void)state;
    /* The vectors published with wyhash; the seed is the number of the line. */
    static const struct {
        const char *text;
        uint64_t hash;
    } vectors[] = {
        {"", UINT64_C(0x93228a4de0eec5a2)},
        {"a", UINT64_C(0xc5bac3db178713c4)},
        {"abc", UINT64_C(0xa97f2f7b1d9b3314)},
        {"message digest", UINT64_C(0x786d1f1df3801df4)},
        {"abcdefghijklmnopqrstuvwxyz", UINT64_C(0xdca5a8138ad37c87)},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         UINT64_C(0xb9e734f117cfaf70)},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         UINT64_C(0x6cc5eab49a92d617)},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        assert_int_equal(hash_bytes(span_of(vectors[i].text), i), vectors[i].hash);
}
#endif

/* Each bit of the input and of the seed should change each bit of the hash half of the time. */
static void every_bit_counts(void **state) {
    (void)state;
    TestRandom random = test_random();
    enum { ROUNDS = 2000 };
    for (size_t len = 1; len <= 100; len += len < 20 ? 1 : 13) {
        int changed = 0, least = 64;
        for (int round = 0; round < ROUNDS; round++) {
            char bytes[100];
            for (size_t i = 0; i < len; i++)
                bytes[i] = (char)test_random_bits(&random);
            uint64_t seed = test_random_bits(&random);
            uint64_t before = hash_bytes(span(bytes, len), seed);
            size_t bit = test_random_below(&random, len * 8 + 64);
            if (bit < len * 8)
                bytes[bit / 8] ^= (char)(1 << bit % 8);
            else
                seed ^= UINT64_C(1) << (bit - len * 8);
            int flipped = __builtin_popcountll(before ^ hash_bytes(span(bytes, len), seed));
            changed += flipped;
            if (flipped < least)
                least = flipped;
        }
        assert_in_range(changed / ROUNDS, 30, 33);
        assert_true(least > 5);
    }
}

static void length_counts(void **state) {
    (void)state;
    static const char zeroes[200];
    uint64_t seen[200];
    for (size_t len = 0; len < 200; len++) {
        seen[len] = hash_bytes(span(zeroes, len), 1);
        for (size_t before = 0; before < len; before++)
            assert_int_not_equal(seen[len], seen[before]);
    }
}

static void place_in_memory_does_not_count(void **state) {
    (void)state;
    char memory[128];
    const char text[] =
        "the same bytes wherever they stand, aligned or not, long enough for all loops";
    uint64_t wanted = hash_bytes(span(text, sizeof text - 1), 5);
    for (size_t offset = 0; offset < 16; offset++) {
        memcpy(memory + offset, text, sizeof text - 1);
        assert_int_equal(hash_bytes(span(memory + offset, sizeof text - 1), 5), wanted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        cmocka_unit_test(is_wyhash),
#endif
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(length_counts),
        cmocka_unit_test(place_in_memory_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
