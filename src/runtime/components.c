#include "runtime/components.h"

#include "runtime/runtime_service.h"

const Component *const RUNTIME_COMPONENTS[] = {
    &RUNTIME_SERVICE_COMPONENT,
};
const size_t RUNTIME_COMPONENT_COUNT = sizeof RUNTIME_COMPONENTS / sizeof *RUNTIME_COMPONENTS;
