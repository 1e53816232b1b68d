/* The topology as a command knows it: nodes and edges kept up to date by the updates of
 * WatchTopology, and drawn as two tables. */
#pragma once

#include "base/buf.h"
#include "base/map.h"
#include "cli/style.h"
#include "runtime/v1/topology.pb.h"

typedef struct GraphView {
    Map nodes, edges;
} GraphView;

void graph_view_init(GraphView *view);
void graph_view_done(GraphView *view);

/* Takes an update over. False while more pieces of the same change follow. */
bool graph_view_apply(GraphView *view, const RtTopologyUpdate *update);

/* Nothing is known any more. */
void graph_view_clear(GraphView *view);

/* Calls a second over all edges of calls. */
double graph_view_rate(const GraphView *view);

/* Appends the tables: services by name, then who calls whom, the busiest first. `columns` cuts the
 * lines (0: nothing is cut), `lines` says how many there may be (0: all). */
void graph_view_draw(const GraphView *view, Style style, size_t columns, size_t lines, Buf *out);
