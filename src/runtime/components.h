/* The table of components: what this runtime is made of. Their order here means nothing. */
#pragma once

#include "core/component.h"

extern const Component *const RUNTIME_COMPONENTS[];
extern const size_t RUNTIME_COMPONENT_COUNT;
