/* runtime.v1.RuntimeService: what this runtime is, what it is made of, and who may use it. */
#pragma once

#include "core/component.h"

extern const Component RUNTIME_SERVICE_COMPONENT;
