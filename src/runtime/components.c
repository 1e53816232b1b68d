#include "runtime/components.h"

#include "runtime/project.h"
#include "runtime/runtime_service.h"
#include "services/broker/broker_component.h"
#include "services/health/health_component.h"
#include "services/logs/logs_component.h"
#include "services/orchestrator/orchestrator_component.h"
#include "services/topology/topology_component.h"

const Component *const RUNTIME_COMPONENTS[] = {
    &RUNTIME_SERVICE_COMPONENT, &PROJECT_COMPONENT, &LOGS_COMPONENT,   &ORCHESTRATOR_COMPONENT,
    &TOPOLOGY_COMPONENT,        &HEALTH_COMPONENT,  &BROKER_COMPONENT,
};
const size_t RUNTIME_COMPONENT_COUNT = sizeof RUNTIME_COMPONENTS / sizeof *RUNTIME_COMPONENTS;
