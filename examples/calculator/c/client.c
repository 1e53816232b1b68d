/* Asks the calculator, which it knows by name only, again and again.
 *
 *   CALLS_PER_SECOND   how often (default 5) */
#include <errno.h>
#include <muster.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "calculation.h"
#include "grpc.h"

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* The connection to that instance: the one there is, or a new one in its place. */
static GrpcClient *connection_to(GrpcClient *client, const MusterInstance *instance) {
    if (client && strcmp(grpc_client_address(client), instance->address) == 0)
        return client;
    grpc_client_free(client);
    return grpc_client_new(instance->address);
}

static void call(Muster *muster, GrpcClient *client, const MusterInstance *instance, double a,
                 double b) {
    GrpcCall call = {.path = CALCULATOR_PATH "Add"};
    call.request_len = put_double(call.request, 1, a);
    call.request_len += put_double(call.request + call.request_len, 2, b);
    snprintf(call.correlation_id, sizeof call.correlation_id, "%s", muster_correlation_id());
    int64_t begin = now_us();
    GrpcStatus status = grpc_call(client, &call);
    double result;
    if (status == GRPC_OK && !get_doubles(call.reply, call.reply_len, &result, 1)) {
        status = GRPC_INTERNAL;
        snprintf(call.error, sizeof call.error, "not a CalculationResponse");
    }
    const char *target = *instance->service_name ? instance->service_name : "CalculatorService";
    muster_report_call(muster, &(MusterCall){.target = target,
                                             .method = "Add",
                                             .latency_us = now_us() - begin,
                                             .error = status == GRPC_OK ? NULL : call.error});
    if (status == GRPC_OK)
        muster_log(muster, MUSTER_INFO, "Result: %g", result);
    else
        muster_log(muster, MUSTER_WARN, "No result: %s", call.error);
}

static GrpcClient *ask(Muster *muster, GrpcClient *client, double a, double b) {
    char id[MUSTER_CORRELATION_SIZE];
    MusterInstance instance;
    MusterLookup lookup = {.name = "CalculatorService", .role = "server"};
    muster_new_correlation_id(id);
    muster_set_correlation_id(id);
    muster_log(muster, MUSTER_INFO, "Calling Add(%g,%g)", a, b);
    int found = muster_lookup(muster, &lookup, &instance, 1);
    if (found == 1) {
        client = connection_to(client, &instance);
        call(muster, client, &instance, a, b);
    } else {
        muster_log(muster, MUSTER_WARN, "No result: %s",
                   found < 0 ? strerror(-found) : "nobody offers CalculatorService at the moment");
    }
    muster_set_correlation_id(NULL);
    return client;
}

int main(void) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);

    const char *name = getenv("MUSTER_SERVICE"), *rate = getenv("CALLS_PER_SECOND");
    double each = 1 / (rate && atof(rate) > 0 ? atof(rate) : 5);
    struct timespec pause = {(time_t)each, (long)((each - (double)(time_t)each) * 1e9)};
    Muster *muster = muster_start(&(MusterOptions){
        .service_name = name ? name : "calculator-client-c", .type = MUSTER_CLIENT});
    muster_wait_registered(muster, 3000);

    GrpcClient *client = NULL;
    for (int n = 1; sigtimedwait(&ends, NULL, &pause) < 0; n++)
        client = ask(muster, client, n, n + 1);
    grpc_client_free(client);
    muster_stop(muster);
    return 0;
}
