/* Instances: registration, signs of life, expiry, the processes behind them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "schema/codec.h"
#include "services/topology/internal.h"

/* ---- words ---- */

Span instance_word(const Instance *instance, Word word) {
    uint16_t lens[WORDS];
    memcpy(lens, instance->words, sizeof lens);
    size_t from = sizeof lens;
    for (Word before = 0; before < word; before++)
        from += lens[before];
    return span(instance->words + from, lens[word]);
}

static char *words_pack(const Span words[WORDS]) {
    uint16_t lens[WORDS];
    size_t size = sizeof lens;
    for (Word word = 0; word < WORDS; word++) {
        lens[word] = (uint16_t)words[word].len;
        size += words[word].len;
    }
    char *packed = xmalloc(size);
    memcpy(packed, lens, sizeof lens);
    char *at = packed + sizeof lens;
    for (Word word = 0; word < WORDS; word++) {
        if (words[word].len)
            memcpy(at, words[word].ptr, words[word].len);
        at += words[word].len;
    }
    return packed;
}

static size_t words_size(const char *words) {
    uint16_t lens[WORDS];
    size_t size = sizeof lens;
    memcpy(lens, words, sizeof lens);
    for (Word word = 0; word < WORDS; word++)
        size += lens[word];
    return size;
}

/* Gives it other words, which it owns, or none. */
static void set_words(Topology *topology, Instance *instance, char *words) {
    topology->words_held -= instance->words ? words_size(instance->words) : 0;
    topology->words_held += words ? words_size(words) : 0;
    free(instance->words);
    instance->words = words;
}

Span instance_id(const Instance *instance) {
    return instance->registered_once ? span(instance->id, sizeof instance->id) : (Span){0};
}

Instance *instance_find(const Topology *topology, Span id) {
    Instance *instance = map_get(&topology->instances, id);
    return instance || !id.len ? instance : map_get(&topology->by_instance_id, id);
}

/* ---- who listens ---- */

static double load_of(const Instance *instance) {
    const RtServiceMetrics *metrics = instance->metrics;
    if (metrics && metrics->has_load)
        return metrics->load;
    return metrics && metrics->has_in_flight ? metrics->in_flight : -1;
}

double topology_load(const Topology *topology, Span service_id) {
    const Instance *instance = map_get(&topology->instances, service_id);
    return instance ? load_of(instance) : -1;
}

void instance_describe(const Instance *instance, TopologyInstance *ret) {
    *ret = (TopologyInstance){
        .service_id = instance_id(instance),
        .service_name = node_name(instance->node),
        .instance_id = instance_word(instance, WORD_INSTANCE_ID),
        .address = instance_word(instance, WORD_ADDRESS),
        .host = instance_word(instance, WORD_HOST),
        .version = instance_word(instance, WORD_VERSION),
        .state = instance->state,
        .type = instance->type,
        .language = instance->language,
        .interval_ms = instance->interval_ms,
        .stale_after = instance->stale_after,
        .dead_after = instance->dead_after,
        .registered_at_ms = instance->registered_wall,
        .last_heartbeat_ms = instance->last_beat_wall,
        .load = load_of(instance),
        .process = instance->process,
    };
}

static void tell_registered(Topology *topology, const Instance *instance) {
    TopologyInstance info;
    instance_describe(instance, &info);
    for (size_t i = 0; i < topology->listener_count; i++) {
        const Listening *to = &topology->listening[i];
        if (to->listener->registered)
            to->listener->registered(to->owner, &info);
    }
}

static void tell_beat(Topology *topology, const Instance *instance,
                      const RtHeartbeatRequest *beat) {
    TopologyInstance info;
    bool described = false;
    for (size_t i = 0; i < topology->listener_count; i++) {
        const Listening *to = &topology->listening[i];
        if (!to->listener->beat)
            continue;
        if (!described)
            instance_describe(instance, &info);
        described = true;
        to->listener->beat(to->owner, &info, beat);
    }
}

static void tell_state(Topology *topology, const Instance *instance, RtConnectionState before) {
    TopologyInstance info;
    instance_describe(instance, &info);
    for (size_t i = 0; i < topology->listener_count; i++) {
        const Listening *to = &topology->listening[i];
        if (to->listener->state)
            to->listener->state(to->owner, &info, before);
    }
}

static void tell_gone(Topology *topology, const Instance *instance, TopologyEnd end) {
    TopologyInstance info;
    instance_describe(instance, &info);
    for (size_t i = 0; i < topology->listener_count; i++) {
        const Listening *to = &topology->listening[i];
        if (to->listener->gone)
            to->listener->gone(to->owner, &info, end);
    }
}

/* ---- signs of life ---- */

static Nanos intervals(const Instance *instance, int count) {
    return (Nanos)instance->interval_ms * count * NANOS_PER_MILLI;
}

static RtConnectionState judge(const Instance *instance, Nanos now) {
    if (instance->ended)
        return RT_CONNECTION_STATE_DEAD;
    if (!instance->registered_once)
        return RT_CONNECTION_STATE_CONNECTION_UNKNOWN;
    Nanos silent = now - instance->last_beat;
    if (silent >= intervals(instance, instance->dead_after))
        return RT_CONNECTION_STATE_DEAD;
    if (silent >= intervals(instance, instance->stale_after))
        return RT_CONNECTION_STATE_STALE;
    if (instance->last_activity)
        return now - instance->last_activity < TOPOLOGY_IDLE_AFTER ? RT_CONNECTION_STATE_ACTIVE
                                                                   : RT_CONNECTION_STATE_IDLE;
    return now - instance->registered < TOPOLOGY_IDLE_AFTER ? RT_CONNECTION_STATE_REGISTERED
                                                            : RT_CONNECTION_STATE_IDLE;
}

/* When its state changes next if nothing is heard of it. */
static Nanos next_change(const Instance *instance) {
    if (instance->ended)
        return instance->until;
    Nanos stale = instance->last_beat + intervals(instance, instance->stale_after);
    Nanos dead = instance->last_beat + intervals(instance, instance->dead_after);
    Nanos idle = WHEEL_NEVER;
    switch ((RtConnectionState)instance->state) {
    case RT_CONNECTION_STATE_CONNECTION_UNKNOWN:
    case RT_CONNECTION_STATE_DEAD:
        return WHEEL_NEVER;
    case RT_CONNECTION_STATE_STALE:
        return dead;
    case RT_CONNECTION_STATE_ACTIVE:
        idle = instance->last_activity + TOPOLOGY_IDLE_AFTER;
        break;
    case RT_CONNECTION_STATE_REGISTERED:
        idle = instance->registered + TOPOLOGY_IDLE_AFTER;
        break;
    case RT_CONNECTION_STATE_IDLE:
        break;
    }
    stale = stale < dead ? stale : dead;
    return idle < stale ? idle : stale;
}

static void arm(Topology *topology, Instance *instance) {
    Nanos at = next_change(instance);
    if (at == WHEEL_NEVER)
        wheel_cancel(world_wheel(topology->world), &instance->timer);
    else
        topology_arm(topology, &instance->timer, at);
}

static void set_state(Topology *topology, Instance *instance, RtConnectionState state) {
    RtConnectionState before = instance->state;
    if (state == before)
        return;
    Node *node = instance->node;
    node->states[before]--;
    node->states[state]++;
    instance->state = (uint8_t)state;
    watch_changed(topology->watch, &instance->watch);
    arm(topology, instance);
    tell_state(topology, instance, before);
    node_refresh(topology, node);
}

/* Adds what it uses to the sums of its node, or takes it away. */
static void sum_metrics(Node *node, const RtServiceMetrics *metrics, int sign) {
    const struct {
        bool has;
        double value;
    } values[SUMS] = {
        [SUM_CPU] = {metrics->has_cpu_percent, metrics->cpu_percent},
        [SUM_MEMORY] = {metrics->has_memory_bytes, (double)metrics->memory_bytes},
        [SUM_THREADS] = {metrics->has_threads, metrics->threads},
        [SUM_FILES] = {metrics->has_open_files, metrics->open_files},
        [SUM_IN_FLIGHT] = {metrics->has_in_flight, metrics->in_flight},
        [SUM_LOAD] = {metrics->has_load, metrics->load},
    };
    if (!node->sums)
        node->sums = xcalloc(SUMS, sizeof *node->sums);
    for (int i = 0; i < SUMS; i++) {
        Sum *sum = &node->sums[i];
        if (!values[i].has)
            continue;
        sum->count += (uint32_t)sign;
        sum->value = sum->count ? sum->value + sign * values[i].value : 0;
    }
}

static void drop_metrics(Instance *instance) {
    if (!instance->metrics)
        return;
    sum_metrics(instance->node, instance->metrics, -1);
    free(instance->metrics);
    instance->metrics = NULL;
}

void instance_remove(Topology *topology, Instance *instance, TopologyEnd end) {
    Node *node = instance->node;
    wheel_cancel(world_wheel(topology->world), &instance->timer);
    watch_remove(topology->watch, &instance->watch);
    tell_gone(topology, instance, end);
    drop_metrics(instance);
    if (instance->registered_once)
        map_remove(&topology->instances, instance_id(instance));
    if (instance_word(instance, WORD_INSTANCE_ID).len)
        map_remove(&topology->by_instance_id, instance_word(instance, WORD_INSTANCE_ID));
    list_remove(&instance->of_node);
    node->states[instance->state]--;
    node->instance_count--;
    set_words(topology, instance, NULL);
    free(instance->health_message);
    free(instance);
    node_left(topology, node);
}

/* What is dead goes, unless its process is there still: then that is what is wrong with it. */
static void on_timer(Topology *topology, Instance *instance) {
    Nanos now = topology_now(topology);
    if (instance->ended && now >= instance->until) {
        instance_remove(topology, instance, TOPOLOGY_EXPIRED);
        return;
    }
    RtConnectionState state = judge(instance, now);
    set_state(topology, instance, state);
    if (state == RT_CONNECTION_STATE_DEAD && !instance->ended && !instance->process)
        instance_remove(topology, instance, TOPOLOGY_EXPIRED);
    else if (!timer_is_armed(&instance->timer))
        arm(topology, instance);
}

static void on_instance_timer(Timer *timer) {
    Instance *instance = CONTAINER(timer, Instance, timer);
    on_timer(instance->node->topology, instance);
}

void instance_active(Topology *topology, Instance *instance) {
    instance->last_activity = topology_now(topology);
    if (instance->state == RT_CONNECTION_STATE_ACTIVE)
        return;
    RtConnectionState state = judge(instance, instance->last_activity);
    if (state != RT_CONNECTION_STATE_DEAD) /* which is the timer's to find, and to act on */
        set_state(topology, instance, state);
}

void instance_judged(Topology *topology, Instance *instance, RtHealthState health, Span message) {
    if (instance->health == health && span_equal(span_of(instance->health_message), message))
        return;
    instance->health = (uint8_t)health;
    keep_text(&instance->health_message, message, TOPOLOGY_TEXT_MAX);
    watch_changed(topology->watch, &instance->watch);
}

/* ---- registration ---- */

static void make_id(Topology *topology, Instance *instance) {
    uint64_t random[2];
    world_random(topology->world, random, sizeof random);
    char text[sizeof instance->id + 1];
    snprintf(text, sizeof text, "%s-%04x-4%03x-%04x-%012llx", topology->prefix,
             (unsigned)(random[0] & 0xffff), (unsigned)(random[0] >> 16 & 0xfff),
             (unsigned)(0x8000 | (random[0] >> 28 & 0x3fff)),
             (unsigned long long)(random[1] & 0xffffffffffff));
    memcpy(instance->id, text, sizeof instance->id);
    instance->registered_once = true;
    map_put(&topology->instances, instance);
}

static Instance *instance_new(Topology *topology, Node *node, char *words) {
    Instance *instance = xcalloc(1, sizeof *instance);
    instance->node = node;
    set_words(topology, instance, words);
    instance->timer.fire = on_instance_timer;
    instance->interval_ms = TOPOLOGY_INTERVAL_MS;
    instance->stale_after = TOPOLOGY_STALE_AFTER;
    instance->dead_after = TOPOLOGY_DEAD_AFTER;
    list_push_back(&node->instances, &instance->of_node);
    node->states[instance->state]++;
    node->instance_count++;
    if (instance_word(instance, WORD_INSTANCE_ID).len)
        map_put(&topology->by_instance_id, instance);
    return instance;
}

static const char *text_fault(Span text) {
    return text.len > TOPOLOGY_TEXT_MAX ? "is longer than 1024 bytes" : NULL;
}

static Status fault(Arena *arena, const char *field, const char *what) {
    return status_make(arena, STATUS_INVALID_ARGUMENT, "%s %s", field, what);
}

static Status check_metadata(const RtServiceMetadata *metadata, Arena *arena) {
    if (!metadata)
        return status_ok();
    if (metadata->labels.count > TOPOLOGY_LABELS_MAX)
        return fault(arena, "metadata.labels", "has more than 64 entries");
    if (schema_size(&RtServiceMetadata_type, metadata) > UINT16_MAX / 4)
        return fault(arena, "metadata", "is larger than 16 KiB");
    return status_ok();
}

static Status check_request(const RtRegisterServiceRequest *request, Arena *arena) {
    const struct {
        const char *field, *fault;
    } texts[] = {
        {"service_name", name_fault(request->service_name)},
        {"instance_id", text_fault(request->instance_id)},
        {"version", text_fault(request->version)},
        {"address", text_fault(request->address)},
        {"host", text_fault(request->host)},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].fault)
            return fault(arena, texts[i].field, texts[i].fault);
    if (request->has_heartbeat_interval_ms && request->heartbeat_interval_ms &&
        (request->heartbeat_interval_ms < TOPOLOGY_INTERVAL_MIN ||
         request->heartbeat_interval_ms > TOPOLOGY_INTERVAL_MAX))
        return fault(arena, "heartbeat_interval_ms", "is not between 100 and 3600000");
    if (request->has_timeout_multiplier && request->timeout_multiplier &&
        (request->timeout_multiplier < 1 || request->timeout_multiplier > TOPOLOGY_MULTIPLIER_MAX))
        return fault(arena, "timeout_multiplier", "is not between 1 and 100");
    if (request->dependencies.count > 64)
        return fault(arena, "dependencies", "has more than 64 entries");
    for (uint32_t i = 0; i < request->dependencies.count; i++)
        if (name_fault(request->dependencies.items[i].service_name))
            return fault(arena, "dependencies.service_name",
                         name_fault(request->dependencies.items[i].service_name));
    return check_metadata(request->metadata, arena);
}

static char *words_of(const RtRegisterServiceRequest *request, Span peer_host, Arena *arena) {
    Span words[WORDS] = {
        [WORD_INSTANCE_ID] = request->instance_id,
        [WORD_ADDRESS] = request->address,
        [WORD_HOST] = request->host.len ? request->host : peer_host,
        [WORD_VERSION] = request->version,
    };
    if (request->metadata)
        schema_encode(&RtServiceMetadata_type, request->metadata, 0, arena, &words[WORD_METADATA]);
    return words_pack(words);
}

/* After how many intervals it is STALE and DEAD, where it does not ask for `dead` (not 0) itself. */
static void set_patience(Instance *instance, int dead, const TopologySettings *settings) {
    int stale = settings->stale_after ? settings->stale_after : TOPOLOGY_STALE_AFTER;
    if (!dead)
        dead = settings->dead_after ? settings->dead_after : TOPOLOGY_DEAD_AFTER;
    instance->dead_after = (uint8_t)(dead < TOPOLOGY_MULTIPLIER_MAX ? dead : 100);
    instance->stale_after = (uint8_t)(stale < dead ? stale : dead);
}

static int32_t configured_interval(const TopologySettings *settings) {
    return settings->interval_ms ? settings->interval_ms : TOPOLOGY_INTERVAL_MS;
}

/* How often it beats: as it asks, else as configured. */
static void set_rhythm(Instance *instance, const RtRegisterServiceRequest *request,
                       const TopologySettings *settings) {
    instance->again = false;
    instance->own_interval = request->heartbeat_interval_ms != 0;
    instance->own_dead_after = request->timeout_multiplier != 0;
    instance->interval_ms =
        instance->own_interval ? request->heartbeat_interval_ms : configured_interval(settings);
    set_patience(instance, request->timeout_multiplier, settings);
}

/* It beats as it was told, so another interval holds from its next registration on, which its beats
 * are answered with. Who would be another instance then is left alone. */
void instance_configure(Topology *topology, Instance *instance, const TopologySettings *settings) {
    if (!instance->registered_once)
        return;
    set_patience(instance, instance->own_dead_after ? instance->dead_after : 0, settings);
    instance->again = !instance->own_interval && instance_word(instance, WORD_INSTANCE_ID).len &&
                      instance->interval_ms != configured_interval(settings);
    watch_changed(topology->watch, &instance->watch);
    if (instance->state != RT_CONNECTION_STATE_DEAD)
        arm(topology, instance);
}

static void declare_dependencies(Topology *topology, Node *node,
                                 const RtRegisterServiceRequest *request) {
    node_depend_as_configured(topology, node);
    for (uint32_t i = 0; i < request->dependencies.count; i++)
        node_depend(topology, node, request->dependencies.items[i].service_name,
                    request->dependencies.items[i].kind);
}

/* The instance that registers: one that is known, or a new one. */
static Status instance_need(Topology *topology, const RtRegisterServiceRequest *request,
                            char *words, Arena *arena, Instance **ret) {
    Instance *known =
        request->instance_id.len ? map_get(&topology->by_instance_id, request->instance_id) : NULL;
    if (known && !span_equal(node_name(known->node), request->service_name))
        return status_make(arena, STATUS_ALREADY_EXISTS,
                           "instance_id %.*s belongs to the service %.*s; another service needs "
                           "another instance_id",
                           SPAN_ARGS(request->instance_id), SPAN_ARGS(node_name(known->node)));
    if (topology->words_held + words_size(words) > TOPOLOGY_WORDS_MAX)
        return status_make(arena, STATUS_RESOURCE_EXHAUSTED,
                           "instances say %zu MiB of themselves, and more is not kept: register "
                           "with less metadata",
                           TOPOLOGY_WORDS_MAX >> 20);
    if (known) {
        set_words(topology, known, words); /* equal in what it is found by */
        *ret = known;
        return status_ok();
    }
    if (topology->instances.count >= TOPOLOGY_INSTANCES_MAX)
        return status_make(arena, STATUS_RESOURCE_EXHAUSTED,
                           "%d instances are registered, and more are not taken",
                           TOPOLOGY_INSTANCES_MAX);
    Node *node = node_need(topology, request->service_name);
    if (!node)
        return status_make(arena, STATUS_RESOURCE_EXHAUSTED,
                           "%d services are known, and more are not taken", TOPOLOGY_NODES_MAX);
    *ret = instance_new(topology, node, words);
    return status_ok();
}

Status topology_register(Topology *topology, const RtRegisterServiceRequest *request,
                         Span peer_host, Arena *arena, RtServiceHandle *ret) {
    Status status = check_request(request, arena);
    if (status.code != STATUS_OK)
        return status;
    char *words = words_of(request, peer_host, arena);
    Instance *instance = NULL;
    status = instance_need(topology, request, words, arena, &instance);
    if (status.code != STATUS_OK) {
        free(words);
        return status;
    }
    TopologySettings settings = settings_of(topology, request->service_name);
    set_rhythm(instance, request, &settings);
    instance->type = (uint8_t)request->service_type;
    instance->language = (uint8_t)request->language;
    instance->ended = false;
    instance->last_beat = topology_now(topology);
    if (!instance->registered_once) {
        watch_remove(topology->watch, &instance->watch); /* its identity is another one now */
        instance->registered = instance->last_beat;
        instance->registered_wall = topology_wall_ms(topology);
        make_id(topology, instance);
    }
    if (watch_has(&instance->watch))
        watch_changed(topology->watch, &instance->watch);
    else
        watch_add(topology->watch, &instance->watch, KIND_INSTANCE);
    connections_changed(topology, instance->node);
    tell_registered(topology, instance);
    set_state(topology, instance, judge(instance, instance->last_beat));
    arm(topology, instance);
    watch_changed(topology->watch, &instance->node->watch);
    declare_dependencies(topology, instance->node, request);
    *ret = (RtServiceHandle){
        .service_id = instance_id(instance),
        .heartbeat_interval_ms = instance->interval_ms,
        .timeout_multiplier = instance->dead_after,
    };
    return status_ok();
}

bool topology_unregister(Topology *topology, Span service_id) {
    Instance *instance = map_get(&topology->instances, service_id);
    if (instance)
        instance_remove(topology, instance, TOPOLOGY_UNREGISTERED);
    return instance != NULL;
}

/* ---- beats ---- */

/* In one piece of memory, names of gauges included. */
static RtServiceMetrics *metrics_copy(const RtServiceMetrics *metrics) {
    uint32_t gauges =
        metrics->gauges.count < TOPOLOGY_GAUGES_MAX ? metrics->gauges.count : TOPOLOGY_GAUGES_MAX;
    size_t size = sizeof *metrics + gauges * sizeof(RtServiceMetricsGaugesEntry);
    size_t texts = 0;
    for (uint32_t i = 0; i < gauges; i++)
        texts += metrics->gauges.items[i].key.len;
    RtServiceMetrics *copy = xmalloc(size + texts);
    *copy = *metrics;
    copy->unknown = NULL;
    copy->gauges.count = copy->gauges.capacity = gauges;
    copy->gauges.items = gauges ? (RtServiceMetricsGaugesEntry *)(copy + 1) : NULL;
    char *text = (char *)copy + size;
    for (uint32_t i = 0; i < gauges; i++) {
        const RtServiceMetricsGaugesEntry *from = &metrics->gauges.items[i];
        copy->gauges.items[i] =
            (RtServiceMetricsGaugesEntry){.key = span(text, from->key.len), .value = from->value};
        if (from->key.len)
            memcpy(text, from->key.ptr, from->key.len);
        text += from->key.len;
    }
    return copy;
}

static bool metrics_are_usable(const RtServiceMetrics *metrics) {
    size_t texts = 0;
    for (uint32_t i = 0; i < metrics->gauges.count; i++)
        texts += metrics->gauges.items[i].key.len;
    return isfinite(metrics->cpu_percent) && metrics->memory_bytes >= 0 &&
           isfinite(metrics->load) && metrics->gauges.count <= TOPOLOGY_GAUGES_MAX &&
           texts <= (size_t)TOPOLOGY_GAUGES_MAX * TOPOLOGY_NAME_MAX;
}

static void take_metrics(Topology *topology, Instance *instance, const RtServiceMetrics *metrics) {
    Node *node = instance->node;
    if (!metrics_are_usable(metrics))
        return;
    drop_metrics(instance);
    instance->metrics = metrics_copy(metrics);
    sum_metrics(node, metrics, 1);
    const Sum *cpu = &node->sums[SUM_CPU], *memory = &node->sums[SUM_MEMORY];
    Usage usage = {.cpu = cpu->count ? (float)cpu->value : NAN,
                   .memory = memory->count ? (float)memory->value : NAN};
    series_put(&topology->usages, &node->usage, topology_second(topology), &usage);
}

/* What it says of itself holds as long as nobody judges. */
static void take_health(Topology *topology, Instance *instance, const RtApplicationHealth *health) {
    Node *node = instance->node;
    if (node->health_known)
        return;
    instance_judged(topology, instance, health->state, health->message);
    if (node->health == instance->health)
        return;
    node->health = instance->health;
    keep_text(&node->health_message, health->message, TOPOLOGY_TEXT_MAX);
    node->changed_at = topology_wall_ms(topology);
    watch_changed(topology->watch, &node->watch);
}

BeatAnswer topology_beat(Topology *topology, const RtHeartbeatRequest *beat) {
    Instance *instance = map_get(&topology->instances, beat->service_id);
    if (!instance || instance->ended)
        return BEAT_UNKNOWN;
    Nanos now = topology_now(topology);
    instance->last_beat = now;
    instance->last_beat_wall = instance->node->last_beat_wall = topology_wall_ms(topology);
    if (beat->metrics)
        take_metrics(topology, instance, beat->metrics);
    if (beat->health)
        take_health(topology, instance, beat->health);
    watch_figures(topology->watch, &instance->watch);
    node_figures(topology, instance->node);
    if (instance->state == RT_CONNECTION_STATE_STALE || instance->state == RT_CONNECTION_STATE_DEAD)
        set_state(topology, instance, judge(instance, now));
    tell_beat(topology, instance, beat);
    return instance->again ? BEAT_OUTDATED : BEAT_TAKEN;
}

/* ---- processes ---- */

/* Whether two instance ids are lives of one replica: "calculator-2.7" and "calculator-2.8". */
static bool same_replica(Span a, Span b) {
    while (a.len && a.ptr[a.len - 1] != '.')
        a.len--;
    while (b.len && b.ptr[b.len - 1] != '.')
        b.len--;
    return a.len && span_equal(a, b);
}

void topology_process_started(Topology *topology, Span service_name, Span instance_id) {
    if (name_fault(service_name) || !instance_id.len || text_fault(instance_id))
        return;
    Node *node = node_need(topology, service_name);
    if (!node)
        return;
    Instance *known = map_get(&topology->by_instance_id, instance_id);
    if (!known) {
        Span words[WORDS] = {[WORD_INSTANCE_ID] = instance_id};
        known = instance_new(topology, node, words_pack(words));
        known->registered_wall = topology_wall_ms(topology);
        watch_add(topology->watch, &known->watch, KIND_INSTANCE);
        connections_changed(topology, node);
    }
    known->process = true;
    node->managed = true;
    if (known->ended) {
        known->ended = false;
        set_state(topology, known, judge(known, topology_now(topology)));
    }
    LIST_EACH (&node->instances, link) {
        Instance *other = CONTAINER(link, Instance, of_node);
        if (other->ended && same_replica(instance_word(other, WORD_INSTANCE_ID), instance_id)) {
            instance_remove(topology, other, TOPOLOGY_REPLACED);
            break;
        }
    }
    node_depend_as_configured(topology, node);
    watch_changed(topology->watch, &node->watch);
    node_refresh(topology, node);
}

void topology_process_stopped(Topology *topology, Span service_name, Span instance_id, Nanos due) {
    Instance *instance = map_get(&topology->by_instance_id, instance_id);
    if (!instance || !span_equal(node_name(instance->node), service_name) || instance->ended)
        return;
    Nanos wait = due ? due - world_wall(topology->world) : 0;
    instance->process = false;
    instance->ended = true;
    instance->until = topology_now(topology) + TOPOLOGY_LINGER + (wait > 0 ? wait : 0);
    instance->node->managed = true;
    if (instance->state == RT_CONNECTION_STATE_DEAD) /* before its process has ended */
        arm(topology, instance);
    else
        set_state(topology, instance, RT_CONNECTION_STATE_DEAD);
}
