/* A calculator that others find through the broker. PORT says where it listens; without it, any. */
#include <muster.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "calculation.h"
#include "grpc.h"

static bool calculate(const char *method, const double *n, double *ret) {
    if (strcmp(method, "Add") == 0)
        *ret = n[0] + n[1];
    else if (strcmp(method, "Subtract") == 0)
        *ret = n[0] - n[1];
    else if (strcmp(method, "Multiply") == 0)
        *ret = n[0] * n[1];
    else if (strcmp(method, "Divide") == 0)
        *ret = n[1] != 0 ? n[0] / n[1] : 0;
    else
        return false;
    return true;
}

static GrpcStatus answer(Muster *muster, GrpcCall *call) {
    double n[2], result;
    size_t prefix = strlen(CALCULATOR_PATH);
    const char *method =
        strncmp(call->path, CALCULATOR_PATH, prefix) == 0 ? call->path + prefix : "";
    if (!get_doubles(call->request, call->request_len, n, 2)) {
        snprintf(call->error, sizeof call->error, "not a CalculationRequest");
        return GRPC_INVALID_ARGUMENT;
    }
    if (!calculate(method, n, &result)) {
        snprintf(call->error, sizeof call->error, "there is no %s", call->path);
        return GRPC_UNIMPLEMENTED;
    }
    if (strcmp(method, "Divide") == 0 && n[1] == 0) {
        snprintf(call->error, sizeof call->error, "b: division by zero");
        return GRPC_INVALID_ARGUMENT;
    }
    muster_log(muster, MUSTER_INFO, "%s(%g,%g) = %g", method, n[0], n[1], result);
    call->reply_len = put_double(call->reply, 1, result);
    return GRPC_OK;
}

static GrpcStatus on_call(void *owner, GrpcCall *call) {
    Muster *muster = owner;
    muster_set_correlation_id(call->correlation_id);
    muster_in_flight(muster, 1);
    GrpcStatus status = answer(muster, call);
    muster_in_flight(muster, -1);
    if (status != GRPC_OK)
        muster_count_error(muster);
    muster_set_correlation_id(NULL);
    return status;
}

int main(void) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);

    const char *name = getenv("MUSTER_SERVICE"), *wanted = getenv("PORT");
    Muster *muster = muster_start(&(MusterOptions){
        .service_name = name ? name : "calculator-server-c", .type = MUSTER_SERVER});
    int port = grpc_serve(wanted ? atoi(wanted) : 0, on_call, muster);
    if (port < 0) {
        fprintf(stderr, "cannot listen: %s\n", strerror(-port));
        return 1;
    }
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    muster_offer(muster, &(MusterOffer){.name = "CalculatorService", .address = address});
    muster_report_health(muster, MUSTER_HEALTH_HEALTHY, NULL);
    printf("calculating on %s\n", address);
    fflush(stdout);

    int signal;
    sigwait(&ends, &signal);
    muster_withdraw(muster, "CalculatorService");
    muster_stop(muster);
    return 0;
}
