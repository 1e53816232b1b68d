#include "runtime_pool.h"

#include "runtime/v1/broker.pb.h"
#include "runtime/v1/chaos.pb.h"
#include "runtime/v1/config.pb.h"
#include "runtime/v1/health.pb.h"
#include "runtime/v1/load.pb.h"
#include "runtime/v1/logger.pb.h"
#include "runtime/v1/orchestrator.pb.h"
#include "runtime/v1/runtime.pb.h"
#include "runtime/v1/state.pb.h"
#include "runtime/v1/topology.pb.h"

SchemaPool *runtime_pool_new(void) {
    /* The files with services; the others are what these depend on. */
    static const SchemaFile *const files[] = {
        &runtime_v1_broker_proto,   &runtime_v1_chaos_proto,        &runtime_v1_config_proto,
        &runtime_v1_health_proto,   &runtime_v1_load_proto,         &runtime_v1_logger_proto,
        &runtime_v1_state_proto,    &runtime_v1_orchestrator_proto, &runtime_v1_runtime_proto,
        &runtime_v1_topology_proto,
    };
    SchemaPool *pool = schema_pool_new();
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        schema_pool_add(pool, files[i]);
    return pool;
}
