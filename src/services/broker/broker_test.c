#include "services/broker/broker.h"

#include "base/test.h"
#include "services/broker/internal.h"

#define SECOND NANOS_PER_SECOND
#define WALL   (INT64_C(1767225600) * SECOND)

typedef struct Bench {
    Wheel wheel;
    Broker *broker;
    Arena arena;
    size_t changes[3];
    Nanos now;
    double loads[8]; /* of the providers "s0", "s1", … */
} Bench;

static void on_changed(void *owner, BrokerChange change, const RtBrokerInstance *offer) {
    Bench *bench = owner;
    assert_true(offer->registration_id.len > 0);
    bench->changes[change]++;
}

static double load_of(void *owner, Span service_id) {
    const Bench *bench = owner;
    return bench->loads[service_id.ptr[1] - '0'];
}

static int setup(void **state) {
    Bench *bench = calloc(1, sizeof *bench);
    wheel_init(&bench->wheel, 0);
    bench->broker = broker_new(&(BrokerOptions){.seed = 7,
                                                .epoch = 3,
                                                .wheel = &bench->wheel,
                                                .owner = bench,
                                                .load = load_of,
                                                .changed = on_changed});
    for (size_t i = 0; i < 8; i++)
        bench->loads[i] = -1;
    *state = bench;
    return 0;
}

static int teardown(void **state) {
    Bench *bench = *state;
    broker_free(bench->broker);
    arena_done(&bench->arena);
    free(bench);
    return 0;
}

static void advance(Bench *bench, Nanos by) {
    bench->now += by;
    wheel_advance(&bench->wheel, bench->now);
}

/* An offer of the provider s0, s1 … (NULL: by lease); gives its registration id. */
static Span offer(Bench *bench, const char *provider, const char *address, int32_t weight) {
    RtRegisterInstanceRequest request = {
        .name = SPAN("CalculatorService"),
        .address = span_of(address),
        .service_id = span_of(provider),
        .weight = weight,
        .has_weight = true,
    };
    BrokerProvider by = {
        .service_id = request.service_id,
        .service_name = SPAN("calculator-server"),
        .instance_id = span_of(provider),
        .host = provider && provider[1] == '2' ? SPAN("far") : SPAN("near"),
        .health = RT_HEALTH_STATE_HEALTHY,
    };
    RtRegisterInstanceResponse response;
    Status status = broker_register(bench->broker, &request, provider ? &by : NULL, bench->now,
                                    WALL + bench->now, &bench->arena, &response);
    assert_int_equal(status.code, STATUS_OK);
    return response.registration_id;
}

static RtLookupServiceResponse lookup(Bench *bench, RtLookupServiceRequest request) {
    RtLookupServiceResponse response = {0};
    if (!request.name.len)
        request.name = SPAN("CalculatorService");
    Status status = broker_lookup(bench->broker, &request, request.host, &bench->arena, &response);
    assert_int_equal(status.code, STATUS_OK);
    return response;
}

static Span chosen(Bench *bench, RtLookupServiceRequest request) {
    RtLookupServiceResponse response = lookup(bench, request);
    assert_true(response.instances.count > 0);
    return response.instances.items[0].address;
}

static void test_found_by_name_and_service(void **state) {
    Bench *bench = *state;
    offer(bench, "s0", "127.0.0.1:1", 1);
    assert_span(chosen(bench, (RtLookupServiceRequest){0}), "127.0.0.1:1");
    assert_span(chosen(bench, (RtLookupServiceRequest){.name = SPAN("calculator-server")}),
                "127.0.0.1:1");
    assert_int_equal(
        lookup(bench, (RtLookupServiceRequest){.role = SPAN("client")}).instances.count, 0);
    RtLookupServiceResponse response = lookup(bench, (RtLookupServiceRequest){0});
    assert_span(response.instances.items[0].role, "server");
    assert_span(response.instances.items[0].host, "near");
    assert_int_equal(response.revision->epoch, 3);
    assert_int_equal(response.revision->number, 1);
}

static void test_unknown_name(void **state) {
    Bench *bench = *state;
    RtLookupServiceRequest request = {.name = SPAN("Nobody")};
    RtLookupServiceResponse response;
    Status status = broker_lookup(bench->broker, &request, SPAN(""), &bench->arena, &response);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    offer(bench, "s0", "127.0.0.1:1", 1);
    broker_provider_gone(bench->broker, SPAN("s0"));
    response = lookup(bench, (RtLookupServiceRequest){0}); /* it was offered once */
    assert_int_equal(response.instances.count, 0);
}

static void test_again_is_the_same(void **state) {
    Bench *bench = *state;
    Span first = arena_copy(&bench->arena, offer(bench, "s0", "127.0.0.1:1", 1));
    Span again = offer(bench, "s0", "127.0.0.1:1", 5);
    assert_true(span_equal(first, again));
    Span other = offer(bench, "s1", "127.0.0.1:1", 5);
    assert_false(span_equal(first, other));
    assert_int_equal(broker_counts(bench->broker).offers, 2);
    assert_int_equal(bench->changes[BROKER_REGISTERED], 2);
    assert_int_equal(bench->changes[BROKER_CHANGED], 1);
    assert_true(broker_deregister(bench->broker, first));
    assert_false(broker_deregister(bench->broker, first));
    assert_int_equal(broker_counts(bench->broker).providers, 1);
}

static void test_leases(void **state) {
    Bench *bench = *state;
    Span id = arena_copy(&bench->arena, offer(bench, NULL, "127.0.0.1:1", 1));
    RtRenewInstanceRequest renew = {.registration_id = id, .load = 0.5, .has_load = true};
    RtRenewInstanceResponse renewed;
    advance(bench, 14 * SECOND);
    assert_int_equal(
        broker_renew(bench->broker, &renew, bench->now, WALL + bench->now, &bench->arena, &renewed)
            .code,
        STATUS_OK);
    assert_int_equal(renewed.expires_at_ms, (WALL + 29 * SECOND) / NANOS_PER_MILLI);
    advance(bench, 14 * SECOND);
    RtLookupServiceResponse response = lookup(bench, (RtLookupServiceRequest){0});
    assert_int_equal(response.instances.count, 1);
    assert_true(response.instances.items[0].load == 0.5);
    advance(bench, SECOND);
    assert_int_equal(lookup(bench, (RtLookupServiceRequest){0}).instances.count, 0);
    assert_int_equal(bench->changes[BROKER_REMOVED], 1);
    assert_int_equal(
        broker_renew(bench->broker, &renew, bench->now, WALL, &bench->arena, &renewed).code,
        STATUS_NOT_FOUND);
}

static void test_unfit_are_left_out(void **state) {
    Bench *bench = *state;
    offer(bench, "s0", "127.0.0.1:1", 1);
    offer(bench, "s1", "127.0.0.1:2", 1);
    offer(bench, "s2", "127.0.0.1:3", 0);
    RtLookupServiceResponse response = lookup(bench, (RtLookupServiceRequest){0});
    assert_int_equal(response.instances.count, 2);
    assert_int_equal(response.unusable_count, 1);
    broker_provider_health(bench->broker, SPAN("s0"), RT_HEALTH_STATE_UNHEALTHY);
    assert_span(chosen(bench, (RtLookupServiceRequest){0}), "127.0.0.1:2");
    assert_span(chosen(bench, (RtLookupServiceRequest){0}), "127.0.0.1:2");
    broker_provider_health(bench->broker, SPAN("s0"), RT_HEALTH_STATE_DEGRADED);
    assert_int_equal(lookup(bench, (RtLookupServiceRequest){0}).instances.count, 2);
    broker_process_stopping(bench->broker, SPAN("s0"));
    assert_int_equal(lookup(bench, (RtLookupServiceRequest){0}).instances.count, 1);
    broker_process_ended(bench->broker, SPAN("s0"));
    broker_process_ended(bench->broker, SPAN("s1"));
    response = lookup(bench, (RtLookupServiceRequest){0});
    assert_int_equal(response.instances.count, 0);
    assert_int_equal(response.unusable_count, 1);
    assert_int_equal(broker_counts(bench->broker).usable, 0);
}

static void test_round_robin_by_weight(void **state) {
    Bench *bench = *state;
    offer(bench, "s0", "127.0.0.1:1", 5);
    offer(bench, "s1", "127.0.0.1:2", 1);
    offer(bench, "s2", "127.0.0.1:3", 1);
    Buf order = {0};
    for (int i = 0; i < 7; i++)
        buf_add_char(&order, chosen(bench, (RtLookupServiceRequest){0}).ptr[10]);
    assert_span(buf_span(&order), "1121311"); /* nginx's example: spread, not in a row */
    buf_done(&order);
}

static void test_least_loaded(void **state) {
    Bench *bench = *state;
    RtLookupServiceRequest request = {.policy = RT_BALANCING_POLICY_LEAST_LOADED};
    offer(bench, "s0", "127.0.0.1:1", 1);
    offer(bench, "s1", "127.0.0.1:2", 1);
    offer(bench, "s2", "127.0.0.1:3", 4);
    bench->loads[0] = 0.5;
    bench->loads[1] = 0.3;
    bench->loads[2] = 0.8; /* 0.2 by its weight */
    assert_span(chosen(bench, request), "127.0.0.1:3");
    bench->loads[2] = -1; /* unknown counts as the busiest */
    RtLookupServiceResponse response = lookup(bench, request);
    assert_span(response.instances.items[0].address, "127.0.0.1:2");
    bench->loads[0] = bench->loads[1] = 0;
    Span one = chosen(bench, request), two = chosen(bench, request);
    assert_false(span_equal(one, two)); /* equals take turns */
}

static void test_same_host(void **state) {
    Bench *bench = *state;
    RtLookupServiceRequest request = {.policy = RT_BALANCING_POLICY_SAME_HOST, .host = SPAN("far")};
    offer(bench, "s0", "127.0.0.1:1", 1);
    offer(bench, "s1", "127.0.0.1:2", 1);
    offer(bench, "s2", "127.0.0.1:3", 1);
    for (int i = 0; i < 4; i++)
        assert_span(chosen(bench, request), "127.0.0.1:3");
    assert_int_equal(lookup(bench, request).instances.count, 3);
    request.host = SPAN("elsewhere");
    Span one = chosen(bench, request), two = chosen(bench, request);
    assert_false(span_equal(one, two));
}

static void test_sticky(void **state) {
    Bench *bench = *state;
    enum { KEYS = 1000 };
    char keys[KEYS][8];
    Span homes[KEYS];
    offer(bench, "s0", "127.0.0.1:1", 1);
    offer(bench, "s1", "127.0.0.1:2", 1);
    offer(bench, "s2", "127.0.0.1:3", 2);
    size_t third = 0, moved = 0;
    for (int i = 0; i < KEYS; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", i);
        homes[i] = arena_copy(
            &bench->arena, chosen(bench, (RtLookupServiceRequest){.sticky_key = span_of(keys[i])}));
        third += homes[i].ptr[10] == '3';
    }
    assert_in_range(third, 430, 570); /* half, by its weight */
    broker_provider_health(bench->broker, SPAN("s1"), RT_HEALTH_STATE_UNHEALTHY);
    for (int i = 0; i < KEYS; i++) {
        Span home = chosen(bench, (RtLookupServiceRequest){.sticky_key = span_of(keys[i])});
        if (!span_equal(home, homes[i])) {
            assert_int_equal(homes[i].ptr[10], '2'); /* only its keys move */
            moved++;
        }
    }
    assert_in_range(moved, 200, 300);
}

static void test_metadata_filter(void **state) {
    Bench *bench = *state;
    RtRegisterInstanceRequestMetadataEntry own[] = {{.key = SPAN("zone"), .value = SPAN("a")},
                                                    {.key = SPAN("v"), .value = SPAN("2")}};
    RtRegisterInstanceRequest request = {.name = SPAN("Db"), .address = SPAN("unix:/run/db")};
    request.metadata.items = own;
    request.metadata.count = 2;
    RtRegisterInstanceResponse registered;
    assert_int_equal(
        broker_register(bench->broker, &request, NULL, 0, WALL, &bench->arena, &registered).code,
        STATUS_OK);
    RtLookupServiceRequestMetadataEntry want = {.key = SPAN("zone"), .value = SPAN("a")};
    RtLookupServiceRequest query = {.name = SPAN("Db")};
    query.metadata.items = &want;
    query.metadata.count = 1;
    assert_int_equal(lookup(bench, query).instances.count, 1);
    want.value = SPAN("b");
    assert_int_equal(lookup(bench, query).instances.count, 0);
}

static void refuse(Bench *bench, RtRegisterInstanceRequest request, const char *beginning) {
    RtRegisterInstanceResponse response;
    Status status =
        broker_register(bench->broker, &request, NULL, 0, WALL, &bench->arena, &response);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_true(span_starts(status.message, span_of(beginning)));
}

static void test_refusals(void **state) {
    Bench *bench = *state;
    Span good = SPAN("127.0.0.1:1");
    refuse(bench, (RtRegisterInstanceRequest){.address = good}, "name:");
    refuse(bench, (RtRegisterInstanceRequest){.name = SPAN("a b"), .address = good}, "name:");
    refuse(bench, (RtRegisterInstanceRequest){.name = SPAN("a"), .address = SPAN("x")}, "address:");
    refuse(bench,
           (RtRegisterInstanceRequest){
               .name = SPAN("a"), .address = good, .weight = -1, .has_weight = true},
           "weight:");
    refuse(bench, (RtRegisterInstanceRequest){.name = SPAN("a"), .address = good, .lease_ms = -1},
           "lease_ms:");
    assert_int_equal(broker_counts(bench->broker).offers, 0);
}

static void test_bounds(void **state) {
    Bench *bench = *state;
    char address[32];
    for (int i = 0; i < BROKER_PROVIDER_OFFERS_MAX; i++) {
        snprintf(address, sizeof address, "127.0.0.1:%d", i + 1);
        offer(bench, "s0", address, 1);
    }
    RtRegisterInstanceRequest request = {
        .name = SPAN("More"), .address = SPAN("127.0.0.1:999"), .service_id = SPAN("s0")};
    BrokerProvider by = {.service_id = SPAN("s0"), .service_name = SPAN("calculator-server")};
    RtRegisterInstanceResponse response;
    assert_int_equal(
        broker_register(bench->broker, &request, &by, 0, WALL, &bench->arena, &response).code,
        STATUS_RESOURCE_EXHAUSTED);
    broker_provider_gone(bench->broker, SPAN("s0"));
    assert_int_equal(bench->broker->held, 0);
    bench->broker->held = BROKER_BYTES_MAX;
    request = (RtRegisterInstanceRequest){.name = SPAN("a"), .address = SPAN("h:1")};
    assert_int_equal(
        broker_register(bench->broker, &request, NULL, 0, WALL, &bench->arena, &response).code,
        STATUS_RESOURCE_EXHAUSTED);
    bench->broker->held = 0;
    for (int i = 0; i < 3 * BROKER_EMPTY_NAMES_MAX; i++) { /* names that come and go */
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        request = (RtRegisterInstanceRequest){.name = span_of(name), .address = SPAN("h:1")};
        broker_register(bench->broker, &request, NULL, 0, WALL, &bench->arena, &response);
        broker_deregister(bench->broker, response.registration_id);
    }
    assert_int_equal(broker_counts(bench->broker).names, BROKER_EMPTY_NAMES_MAX);
}

static void test_watch_state(void **state) {
    Bench *bench = *state;
    RtWatchServiceRequest request = {.name = SPAN("CalculatorService")};
    RtWatchServiceResponse response;
    broker_watch_state(bench->broker, &request, &bench->arena, &response);
    assert_int_equal(response.instances.count, 0);
    assert_int_equal(broker_name_revision(bench->broker, request.name), 0);
    for (int i = 0; i < 3; i++)
        offer(bench, i == 0 ? "s0" : i == 1 ? "s1" : "s2", "127.0.0.1:1", 1);
    broker_watch_state(bench->broker, &request, &bench->arena, &response);
    assert_int_equal(response.instances.count, 3);
    for (int i = 1; i < 3; i++)
        assert_true(span_compare(response.instances.items[i - 1].registration_id,
                                 response.instances.items[i].registration_id) < 0);
    assert_int_equal(response.revision->number, broker_name_revision(bench->broker, request.name));
    assert_int_equal(broker_name_revision(bench->broker, SPAN("calculator-server")), 3);
    RtListInstancesResponse all;
    broker_list(bench->broker, &(RtListInstancesRequest){0}, &bench->arena, &all);
    assert_int_equal(all.instances.count, 3);
}

/* Random lives of offers against a plain table of what should be there. */
static void test_random_lives(void **state) {
    Bench *bench = *state;
    TestRandom random = test_random();
    bool there[8][16] = {0};
    for (int step = 0; step < 20000; step++) {
        unsigned p = (unsigned)test_random_below(&random, 8);
        unsigned a = (unsigned)test_random_below(&random, 16);
        char provider[] = {'s', (char)('0' + p), 0}, address[32];
        snprintf(address, sizeof address, "127.0.0.1:%u", a + 1);
        switch (test_random_below(&random, 4)) {
        case 0:
            broker_provider_gone(bench->broker, span_of(provider));
            memset(there[p], 0, sizeof there[p]);
            break;
        case 1:
            if (there[p][a]) {
                broker_deregister(bench->broker, offer(bench, provider, address, 1));
                there[p][a] = false;
            }
            break;
        default:
            offer(bench, provider, address, 1);
            there[p][a] = true;
        }
        size_t count = 0;
        for (size_t i = 0; i < sizeof there; i++)
            count += ((bool *)there)[i];
        assert_int_equal(broker_counts(bench->broker).offers, count);
        assert_int_equal(broker_counts(bench->broker).usable, count);
        size_t providers = 0;
        for (size_t i = 0; i < 8; i++)
            providers += memchr(there[i], true, sizeof there[i]) != NULL;
        assert_int_equal(broker_usable_providers(bench->broker, SPAN("calculator-server")),
                         providers);
        if (broker_counts(bench->broker).names)
            assert_int_equal(lookup(bench, (RtLookupServiceRequest){0}).instances.count, count);
        arena_reset(&bench->arena);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_found_by_name_and_service),
        TEST(test_unknown_name),
        TEST(test_again_is_the_same),
        TEST(test_leases),
        TEST(test_unfit_are_left_out),
        TEST(test_round_robin_by_weight),
        TEST(test_least_loaded),
        TEST(test_same_host),
        TEST(test_sticky),
        TEST(test_metadata_filter),
        TEST(test_refusals),
        TEST(test_bounds),
        TEST(test_watch_state),
        TEST(test_random_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
