#include "cli/graph_view.h"

#include <stdlib.h>

#include "base/memory.h"
#include "cli/table.h"
#include "schema/codec.h"

/* A node or an edge, with the memory that it lies in. */
typedef struct Piece {
    Arena arena;
    Span key;
    union {
        const void *message;
        const RtTopologyNode *node;
        const RtTopologyEdge *edge;
    };
} Piece;

static Span piece_key(const void *item) {
    return ((const Piece *)item)->key;
}

void graph_view_init(GraphView *view) {
    map_init(&view->nodes, piece_key, 0);
    map_init(&view->edges, piece_key, 0);
}

static void piece_free(Piece *piece) {
    if (!piece)
        return;
    arena_done(&piece->arena);
    free(piece);
}

static void clear(Map *map) {
    size_t at = 0;
    for (Piece *piece; (piece = map_next(map, &at));) {
        map_remove(map, piece->key);
        piece_free(piece);
    }
}

void graph_view_clear(GraphView *view) {
    clear(&view->nodes);
    clear(&view->edges);
}

void graph_view_done(GraphView *view) {
    graph_view_clear(view);
    map_done(&view->nodes);
    map_done(&view->edges);
}

/* ---- updates ---- */

static Span edge_key(Arena *arena, Span source, Span target, int32_t kind) {
    Buf key = {.arena = arena};
    buf_add(&key, source);
    buf_add_char(&key, 0);
    buf_add(&key, target);
    buf_add_char(&key, 0);
    buf_printf(&key, "%d", kind);
    return buf_span(&key);
}

static Piece *piece_new(const SchemaMessage *type, const void *message) {
    Piece *piece = xcalloc(1, sizeof *piece);
    piece->message = schema_copy(type, message, &piece->arena);
    return piece;
}

static void put_node(GraphView *view, const RtTopologyNode *node) {
    Piece *piece = piece_new(&RtTopologyNode_type, node);
    piece->key = piece->node->service_name;
    piece_free(map_put(&view->nodes, piece));
}

static void put_edge(GraphView *view, const RtTopologyEdge *edge) {
    Piece *piece = piece_new(&RtTopologyEdge_type, edge);
    piece->key = edge_key(&piece->arena, edge->source, edge->target, edge->kind);
    piece_free(map_put(&view->edges, piece));
}

/* A node goes with its edges. */
static void remove_node(GraphView *view, Span name) {
    size_t at = 0;
    piece_free(map_remove(&view->nodes, name));
    for (Piece *piece; (piece = map_next(&view->edges, &at));)
        if (span_equal(piece->edge->source, name) || span_equal(piece->edge->target, name)) {
            map_remove(&view->edges, piece->key);
            piece_free(piece);
        }
}

static void remove_edge(GraphView *view, const RtTopologyEdgeKey *gone) {
    Arena arena = {0};
    piece_free(map_remove(&view->edges, edge_key(&arena, gone->source, gone->target, gone->kind)));
    arena_done(&arena);
}

bool graph_view_apply(GraphView *view, const RtTopologyUpdate *update) {
    if (update->reset)
        graph_view_clear(view);
    for (size_t i = 0; i < update->removed_nodes.count; i++)
        remove_node(view, update->removed_nodes.items[i]);
    for (size_t i = 0; i < update->removed_edges.count; i++)
        remove_edge(view, &update->removed_edges.items[i]);
    for (size_t i = 0; i < update->nodes.count; i++)
        put_node(view, &update->nodes.items[i]);
    for (size_t i = 0; i < update->edges.count; i++)
        put_edge(view, &update->edges.items[i]);
    return !update->more;
}

double graph_view_rate(const GraphView *view) {
    double rate = 0;
    size_t at = 0;
    for (const Piece *piece; (piece = map_next(&view->edges, &at));)
        if (piece->edge->kind == RT_EDGE_KIND_CALL)
            rate += piece->edge->total_rps;
    return rate;
}

/* ---- drawing ---- */

static const char *state_word(int32_t state) {
    static const char *const WORDS[] = {"known", "registered", "idle", "active", "stale", "dead"};
    return state >= 0 && (size_t)state < sizeof WORDS / sizeof *WORDS ? WORDS[state] : "?";
}

static const char *state_colour(Style on, int32_t state) {
    static const StyleKind KINDS[] = {STYLE_DIM,  STYLE_GOOD, STYLE_DIM,
                                      STYLE_GOOD, STYLE_BUSY, STYLE_BAD};
    return state >= 0 && (size_t)state < sizeof KINDS / sizeof *KINDS ? style(on, KINDS[state])
                                                                      : "";
}

/* Its process has ended, and nobody is to start it again or to worry: a task, say. */
static bool has_ended(const RtTopologyNode *node) {
    return node->managed && node->state == RT_CONNECTION_STATE_DEAD &&
           node->health == RT_HEALTH_STATE_HEALTH_UNKNOWN;
}

static const char *health_word(int32_t health) {
    static const char *const WORDS[] = {"–", "starting", "healthy", "degraded", "unhealthy"};
    return health >= 0 && (size_t)health < sizeof WORDS / sizeof *WORDS ? WORDS[health] : "?";
}

static const char *health_colour(Style on, int32_t health) {
    static const StyleKind KINDS[] = {STYLE_DIM, STYLE_BUSY, STYLE_GOOD, STYLE_BUSY, STYLE_BAD};
    return health >= 0 && (size_t)health < sizeof KINDS / sizeof *KINDS ? style(on, KINDS[health])
                                                                        : "";
}

static const char *language_word(int32_t language) {
    static const char *const WORDS[] = {"",           "TypeScript", "Rust", "C++", "Go",
                                        "Python",     "Java",       "C#",   "C",   "Lua",
                                        "JavaScript", "Ruby",       "PHP"};
    return language >= 0 && (size_t)language < sizeof WORDS / sizeof *WORDS ? WORDS[language] : "";
}

static void cell_rate(Table *table, double rate) {
    if (rate > 0)
        table_cell(table, "", rate < 10 ? "%.1f" : "%.0f", rate);
    else
        table_cell(table, style(table->style, STYLE_DIM), "–");
}

static void cell_latency(Table *table, const RtLatencySummary *latency) {
    if (latency)
        table_cell(table, "", latency->p95_ms < 10 ? "%.1f ms" : "%.0f ms", latency->p95_ms);
    else
        table_cell(table, style(table->style, STYLE_DIM), "–");
}

static void cell_errors(Table *table, double rate) {
    if (rate > 0)
        table_cell(table, style(table->style, STYLE_BAD), "%.1f %%", 100 * rate);
    else
        table_cell(table, style(table->style, STYLE_DIM), "–");
}

static void cell_metrics(Table *table, const RtServiceMetrics *metrics) {
    if (metrics && metrics->has_cpu_percent)
        table_cell(table, "", "%.0f %%", metrics->cpu_percent);
    else
        table_cell(table, style(table->style, STYLE_DIM), "–");
    if (metrics && metrics->has_memory_bytes)
        table_cell(table, "", "%.0f MB", (double)metrics->memory_bytes / 1e6);
    else
        table_cell(table, style(table->style, STYLE_DIM), "–");
}

static void add_node(Table *table, const RtTopologyNode *node) {
    static const RtTrafficSummary NO_TRAFFIC = {0};
    const RtTrafficSummary *in = node->incoming ? node->incoming : &NO_TRAFFIC;
    const RtTrafficSummary *out = node->outgoing ? node->outgoing : &NO_TRAFFIC;
    Style on = table->style;
    table_cell(table, style_service(on, node->service_name), "%.*s", SPAN_ARGS(node->service_name));
    if (has_ended(node))
        table_cell(table, style(on, STYLE_DIM), "ended");
    else
        table_cell(table, state_colour(on, node->state), "%s", state_word(node->state));
    table_cell(table, health_colour(on, node->health), "%s", health_word(node->health));
    table_cell(table, "", "%s", language_word(node->language));
    table_cell(table, "", "%d", node->instance_count);
    cell_rate(table, in->total_rps);
    cell_latency(table, in->latency);
    cell_errors(table, in->error_rate);
    cell_rate(table, out->total_rps);
    cell_metrics(table, node->metrics);
    table_cell(table, style(on, STYLE_DIM), "%.*s", SPAN_ARGS(node->health_message));
}

static const char *edge_word(const RtTopologyEdge *edge) {
    switch (edge->kind) {
    case RT_EDGE_KIND_DISCOVERY:
        return "looks up";
    case RT_EDGE_KIND_DEPENDENCY:
        return "depends on";
    default:
        return edge->state == RT_CONNECTION_STATE_ACTIVE ? "calls" : "knows";
    }
}

static void add_edge(Table *table, const RtTopologyEdge *edge) {
    Style on = table->style;
    bool calls = edge->kind == RT_EDGE_KIND_CALL;
    table_cell(table, style_service(on, edge->source), "%.*s", SPAN_ARGS(edge->source));
    table_cell(table, state_colour(on, edge->state), "%s", edge_word(edge));
    table_cell(table, style_service(on, edge->target), "%.*s", SPAN_ARGS(edge->target));
    cell_rate(table, calls ? edge->total_rps : 0);
    cell_latency(table, calls ? edge->latency : NULL);
    cell_errors(table, calls ? edge->error_rate : 0);
    table_cell(table, "", "%.*s", SPAN_ARGS(edge->protocol));
    table_cell(table, style(on, STYLE_DIM), "%.*s %.*s", SPAN_ARGS(edge->last_method),
               SPAN_ARGS(edge->last_correlation_id));
}

static int by_key(const void *a, const void *b) {
    return span_compare((*(const Piece *const *)a)->key, (*(const Piece *const *)b)->key);
}

static int by_rate(const void *a, const void *b) {
    const RtTopologyEdge *left = (*(const Piece *const *)a)->edge;
    const RtTopologyEdge *right = (*(const Piece *const *)b)->edge;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    if (left->total_rps != right->total_rps)
        return left->total_rps > right->total_rps ? -1 : 1;
    return by_key(a, b);
}

static const Piece **sorted(const Map *map, int (*order)(const void *, const void *)) {
    const Piece **pieces = xmalloc((map->count + 1) * sizeof *pieces);
    size_t at = 0, count = 0;
    for (const Piece *piece; (piece = map_next(map, &at));)
        pieces[count++] = piece;
    qsort(pieces, count, sizeof *pieces, order);
    return pieces;
}

/* Writes as many rows as there is room for, and how many more there are. */
static void draw_table(const Map *map, int (*order)(const void *, const void *), Table *table,
                       void (*add)(Table *table, const Piece *piece), size_t columns, size_t rows,
                       Buf *out) {
    const Piece **pieces = sorted(map, order);
    size_t shown = rows && rows < map->count ? rows : map->count;
    for (size_t i = 0; i < shown; i++)
        add(table, pieces[i]);
    table_write(table, columns, out);
    if (shown < map->count)
        buf_printf(out, "%s… and %zu more%s\n", style(table->style, STYLE_DIM), map->count - shown,
                   style(table->style, STYLE_PLAIN));
    free(pieces);
}

static void add_node_piece(Table *table, const Piece *piece) {
    add_node(table, piece->node);
}

static void add_edge_piece(Table *table, const Piece *piece) {
    add_edge(table, piece->edge);
}

void graph_view_draw(const GraphView *view, Style on, size_t columns, size_t lines, Buf *out) {
    static const char *const NODES[] = {"SERVICE", "STATE", "HEALTH", "LANGUAGE", "INSTANCES",
                                        "IN/S",    "P95",   "ERRORS", "OUT/S",    "CPU",
                                        "MEMORY",  "WHY",   NULL};
    static const char *const EDGES[] = {"FROM",   "",         "TO",   "CALLS/S", "P95",
                                        "ERRORS", "PROTOCOL", "LAST", NULL};
    /* Two titles, an empty line, and two lines that say that there is more. */
    size_t room = lines > 6 ? lines - 5 : lines ? 1 : 0;
    size_t node_rows = room && view->nodes.count > room / 2 ? room / 2 + 1 : 0;
    size_t edge_rows = room ? room - (node_rows ? node_rows : view->nodes.count) : 0;
    Table table;
    table_init(&table, on, NODES);
    draw_table(&view->nodes, by_key, &table, add_node_piece, columns, node_rows, out);
    table_done(&table);
    buf_add_char(out, '\n');
    table_init(&table, on, EDGES);
    draw_table(&view->edges, by_rate, &table, add_edge_piece, columns, edge_rows, out);
    table_done(&table);
}
