/* For the tests of discovery: the services, what they do, and how they ask the runtime. */
#pragma once

#include "rpc/client.h"
#include "runtime/v1/topology.pb.h"
#include "services/broker/broker.h"
#include "services/topology/graph_kit.h"
#include "simulated_runtime.h"

#define SITES    4
#define SERVICES 20
#define NAMES    8 /* that are offered */
#define WATCHERS 9
#define SECOND   NANOS_PER_SECOND
#define CALM     (30 * SECOND) /* after a disturbance, until all is as it should be again */
#define SIGNS    1024          /* instances in one life of the runtime */

typedef struct Run Run;

/* A machine: its services share a connection and a stream of beats. */
typedef struct Site {
    Run *run;
    World *world;
    Channel *channel;
    ClientCall *beats; /* NULL: none is open */
} Site;

typedef struct Service {
    Site *site;
    Timer timer; /* its next beat, or attempt to register */
    char name[16], instance_id[40], offered[16], address[24];
    char id[37];                  /* empty: not registered */
    int lives;                    /* so far */
    int32_t asks_ms, interval_ms; /* the beats that it asks for (0: it does not), and has */
    bool lives_now, hangs, process, registering, offers, offering;
    RtHealthState health;
    Nanos well_since; /* beats without a break */
} Service;

typedef struct Watching {
    Run *run;
    Site *site;
    ClientCall *call; /* NULL: none */
    enum { WATCH_GRAPH, WATCH_OFFERS, WATCH_HEALTH } kind;
    RtTopologyQuery query; /* of a graph */
    Span name;             /* in the query, or whose offers */
    int32_t state;
    RtRevision revision;
    bool more, fresh;
    KnownGraph graph;
    Arena arena; /* of what it knows else: the offers … */
    void *offers;
    ARRAY(Known *) health; /* … or a status for each service */
} Watching;

/* When an instance gave its last sign of life, as the runtime has heard it. */
typedef struct Sign {
    char id[37];
    Nanos last;
    Nanos interval;
    int32_t stale_after, dead_after;
    bool gone;
} Sign;

struct Run {
    Simulation *simulation;
    TestRandom random;
    SimulatedRuntime runtime;
    Site sites[SITES], watchers[2];
    Service services[SERVICES];
    Watching watching[WATCHERS];
    Sign signs[SIGNS];
    size_t sign_count;
    ARRAY(Span) ended;                 /* instance ids of processes that have */
    Arena arena;                       /* of these */
    Nanos disturbed;                   /* when that was over */
    Nanos held;                        /* until when the runtime is */
    Nanos short_hold, short_hold_over; /* one too short for deadlines to move */
    bool calm, quiet;                  /* all beat in time; nobody beats */
};

static inline uint64_t choose(Run *run, uint64_t bound) {
    return test_random_below(&run->random, bound);
}

static inline bool chance(Run *run, uint64_t of) {
    return choose(run, of) == 0;
}

static inline void run_for(Run *run, Nanos time) {
    simulation_run(run->simulation, world_now(run->sites[0].world) + time);
}

static inline void site_init(Run *run, Site *site) {
    Address address;
    address_parse(SPAN(RUNTIME_ADDRESS), &address);
    site->run = run;
    site->world = simulation_world(run->simulation);
    site->channel =
        channel_new(site->world, &address, 1, &(ChannelOptions){.backoff_max = 2 * SECOND});
}

static inline void site_done(Site *site) {
    channel_free(site->channel);
}

/* ---- asking ---- */

typedef void Answered(void *subject, const void *response); /* NULL: it failed */

typedef struct Asking {
    Answered *answered;
    void *subject;
    ClientCall *call;
    bool done;
} Asking;

static inline void on_answer(void *owner, const void *message) {
    Asking *asking = owner;
    asking->done = true;
    if (asking->answered)
        asking->answered(asking->subject, message);
}

static inline void on_answer_closed(void *owner, Status status, HttpHeaders trailers) {
    Asking *asking = owner;
    if (!asking->done && asking->answered)
        asking->answered(asking->subject, NULL);
    free(asking);
}

static const ClientHandler ASKING = {.message = on_answer, .closed = on_answer_closed};

static inline void ask(Site *site, const SchemaService *service, int method, const void *request,
                       Answered *answered, void *subject) {
    Asking *asking = xcalloc(1, sizeof *asking);
    ClientCallOptions options = {.timeout = 8 * SECOND, .wait_for_ready = true};
    *asking = (Asking){.answered = answered, .subject = subject};
    asking->call = client_call(site->channel, &service->methods[method], &options, &ASKING, asking);
    client_send(asking->call, request);
    if (service->methods[method].client_streaming)
        client_half_close(asking->call);
}

typedef struct Answer {
    const SchemaMessage *type;
    Arena arena;
    const void *message;
} Answer;

static inline void on_final(void *subject, const void *response) {
    Answer *answer = subject;
    assert_non_null(response);
    answer->message = schema_copy(answer->type, response, &answer->arena);
}

static const void *ask_now(Run *run, const SchemaService *service, int method, const void *request,
                           Answer *answer) {
    *answer = (Answer){.type = service->methods[method].output};
    ask(&run->watchers[0], service, method, request, on_final, answer);
    while (!answer->message)
        run_for(run, NANOS_PER_MILLI);
    return answer->message;
}

/* ---- services ---- */

static inline Nanos interval_of(const Service *service) {
    return service->interval_ms * NANOS_PER_MILLI;
}

static inline void arm(Service *service, Nanos after) {
    World *world = service->site->world;
    wheel_arm(world_wheel(world), &service->timer, world_now(world) + after);
}

static inline void offer(Service *service);

static inline void on_offered(void *subject, const void *response) {
    Service *service = subject;
    service->offering = false;
    if (!response && service->lives_now)
        service->offers = false; /* with the next beat again */
}

static inline void offer(Service *service) {
    if (!service->offered[0] || service->offering || service->offers || !service->id[0])
        return;
    service->offers = service->offering = true;
    RtRegisterInstanceRequest request = {.service_id = span_of(service->id),
                                         .name = span_of(service->offered),
                                         .address = span_of(service->address)};
    ask(service->site, &RtBrokerService_service, RtBrokerService_RegisterInstance, &request,
        on_offered, service);
}

static inline void unregister(Site *site, Span id) {
    RtServiceHandle request = {.service_id = id};
    ask(site, &RtTopologyService_service, RtTopologyService_UnregisterService, &request, NULL,
        NULL);
}

static inline void on_registered(void *subject, const void *response) {
    Service *service = subject;
    const RtServiceHandle *handle = response;
    service->registering = false;
    if (!service->lives_now) {
        if (handle)
            unregister(service->site, handle->service_id);
        return;
    }
    if (!handle) {
        arm(service, SECOND / 2);
        return;
    }
    snprintf(service->id, sizeof service->id, "%.*s", SPAN_ARGS(handle->service_id));
    service->interval_ms = handle->heartbeat_interval_ms;
    service->well_since = world_now(service->site->world);
    service->offers = false;
    offer(service);
    arm(service, interval_of(service));
}

static inline void register_service(Service *service) {
    if (service->registering)
        return;
    service->registering = true;
    RtRegisterServiceRequest request = {
        .service_name = span_of(service->name),
        .instance_id = span_of(service->instance_id),
        .has_heartbeat_interval_ms = service->asks_ms != 0,
        .heartbeat_interval_ms = service->asks_ms,
    };
    ask(service->site, &RtTopologyService_service, RtTopologyService_RegisterService, &request,
        on_registered, service);
}

static inline void on_beat_answered(void *owner, const void *message) {
    Site *site = owner;
    const RtHeartbeatResponse *response = message;
    if (response->acknowledged)
        return;
    for (int i = 0; i < SERVICES; i++) {
        Service *service = &site->run->services[i];
        if (service->site != site || !span_equal(span_of(service->id), response->service_id))
            continue;
        service->id[0] = '\0'; /* as it is advised to */
        if (service->lives_now)
            register_service(service);
    }
}

static inline void on_beats_closed(void *owner, Status status, HttpHeaders trailers) {
    ((Site *)owner)->beats = NULL;
}

static const ClientHandler BEATS = {.message = on_beat_answered, .closed = on_beats_closed};

static inline void beat(Service *service) {
    Site *site = service->site;
    if (!site->beats)
        site->beats = client_call(site->channel,
                                  &RtTopologyService_service.methods[RtTopologyService_Heartbeat],
                                  &(ClientCallOptions){.wait_for_ready = true}, &BEATS, site);
    RtApplicationHealth health = {.state = (int32_t)service->health};
    client_send(site->beats,
                &(RtHeartbeatRequest){.service_id = span_of(service->id), .health = &health});
}

static inline void on_service_timer(Timer *timer) {
    Service *service = CONTAINER(timer, Service, timer);
    Run *run = service->site->run;
    if (!service->lives_now || run->quiet)
        return;
    if (!service->id[0]) {
        register_service(service);
        return;
    }
    if (!service->hangs) {
        beat(service);
        offer(service);
    }
    Nanos late = interval_of(service) * (Nanos)choose(run, run->calm ? 1 : 60) / 100;
    arm(service, interval_of(service) + late);
}

static inline RtServiceEvent event_of(const Service *service, RtServiceState state) {
    return (RtServiceEvent){.service = span_of(service->name),
                            .instance_id = span_of(service->instance_id),
                            .run = service->lives,
                            .state = (int32_t)state};
}

static inline void process_event(Run *run, const Service *service, const char *topic,
                                 const RtServiceEvent *event) {
    char about[40];
    runtime_hears(&run->runtime, topic, event);
    snprintf(about, sizeof about, "supervisor.state.%s", service->name);
    runtime_hears(&run->runtime, about, event);
}

static inline void tell_process(Run *run, const Service *service) {
    RtServiceEvent event = event_of(service, RT_SERVICE_STATE_RUNNING);
    if (service->lives_now && service->process)
        process_event(run, service, "process.started", &event);
}

static inline void begin_life(Run *run, Service *service) {
    if (service->registering || service->offering)
        return;
    int number = (int)(service - run->services);
    service->lives++;
    service->lives_now = true;
    service->hangs = service->offers = false;
    service->process = chance(run, 3);
    service->health = RT_HEALTH_STATE_HEALTHY;
    service->asks_ms = service->interval_ms = 3000 + (int32_t)choose(run, 4) * 700;
    service->id[0] = service->instance_id[0] = '\0';
    if (service->process || chance(run, 2))
        snprintf(service->instance_id, sizeof service->instance_id, "s%d-%d.%d", number / 2,
                 number % 2, service->lives);
    tell_process(run, service);
    register_service(service);
}

static inline void end_life(Run *run, Service *service) {
    service->lives_now = false;
    if (service->process) {
        bool again = chance(run, 2);
        *array_push(&run->ended) = arena_copy(&run->arena, span_of(service->instance_id));
        RtServiceEvent event =
            event_of(service, again ? RT_SERVICE_STATE_BACKING_OFF : RT_SERVICE_STATE_COMPLETED);
        event.next_start_ms =
            again ? world_wall(runtime_world(&run->runtime)) / NANOS_PER_MILLI + 1500 : 0;
        process_event(run, service, "process.stopped", &event);
    } else if (service->id[0] && chance(run, 2)) {
        unregister(service->site, span_of(service->id));
    }
    service->id[0] = '\0';
}

static inline void service_init(Run *run, Service *service, int site, int number) {
    service->site = &run->sites[site];
    service->timer.fire = on_service_timer;
    /* Two instances of each. */
    snprintf(service->name, sizeof service->name, "s%d", number / 2);
    snprintf(service->address, sizeof service->address, "10.1.0.%d:80", number);
    if (number % 3)
        snprintf(service->offered, sizeof service->offered, "Offer%d", number % NAMES);
}

/* ---- what services do ---- */

static inline void call_another(Run *run, Service *service) {
    const Service *other = &run->services[choose(run, SERVICES)];
    RtActivityEvent event = {
        .service_id = span_of(service->id),
        .target_service = span_of(chance(run, 2) ? other->name : other->offered),
        .type = RT_ACTIVITY_TYPE_RESPONSE_RECEIVED,
        .method = SPAN("Add"),
        .latency_us = 1000,
    };
    if (event.target_service.len)
        ask(service->site, &RtTopologyService_service, RtTopologyService_ReportActivity, &event,
            NULL, NULL);
}

static inline void on_found(void *subject, const void *response) {
    const RtLookupServiceResponse *found = response;
    for (uint32_t i = 0; found && i < found->instances.count; i++) {
        assert_true(found->instances.items[i].usable);
        assert_int_not_equal(found->instances.items[i].health, RT_HEALTH_STATE_UNHEALTHY);
    }
}

static inline void look_up(Run *run, Service *service) {
    char name[16];
    snprintf(name, sizeof name, "Offer%d", (int)choose(run, NAMES));
    RtLookupServiceRequest request = {.name = span_of(name),
                                      .service_id = span_of(service->id),
                                      .correlation_id = chance(run, 4) ? SPAN("req-1") : SPAN("")};
    ask(service->site, &RtBrokerService_service, RtBrokerService_LookupService, &request, on_found,
        NULL);
}

static inline void act(Run *run) {
    Service *service = &run->services[choose(run, SERVICES)];
    if (!service->lives_now) {
        if (chance(run, 2))
            begin_life(run, service);
        return;
    }
    switch (choose(run, 12)) {
    case 0:
        end_life(run, service);
        break;
    case 1:
        service->hangs = !service->hangs;
        service->well_since = world_now(service->site->world) + interval_of(service);
        break;
    case 2:
        service->health = chance(run, 2)   ? RT_HEALTH_STATE_UNHEALTHY
                          : chance(run, 2) ? RT_HEALTH_STATE_DEGRADED
                                           : RT_HEALTH_STATE_HEALTHY;
        break;
    case 3:
    case 4:
        look_up(run, service);
        break;
    default:
        call_another(run, service);
    }
}
