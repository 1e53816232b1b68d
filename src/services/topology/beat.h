/* The plainest of beats, read without the codec. */
#pragma once

#include "runtime/v1/topology.pb.h"

/* Reads a beat that has nothing but an id and numbers, as most do. False when there is more in it, or
 * it is malformed: then the codec has the word. */
bool beat_read_plain(Span bytes, RtHeartbeatRequest *ret);
