/* The broker as a component of the runtime. */
#pragma once

#include "core/component.h"

extern const Component BROKER_COMPONENT;
