/* The topology as a component of the runtime. */
#pragma once

#include "core/component.h"

extern const Component TOPOLOGY_COMPONENT;
