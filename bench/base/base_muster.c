/* src/base/map.h at a million entries. */
#include "base/map.h"
#include "map_workload.h"

static Span item_key(const void *item) {
    return (Span){((const Item *)item)->id, ID_SIZE};
}

int main(void) {
    Workload w = workload();
    size_t before = heap_bytes();
    Map map;
    map_init(&map, item_key, 42);
    MEASURE("insert")
    for (uint32_t i = 0; i < ITEMS; i++)
        map_put(&map, &w.items[i]);
    report("memory per entry", "B", (double)(heap_bytes() - before) / ITEMS);

    uint64_t sum = 0;
    MEASURE("find")
    for (uint32_t i = 0; i < ITEMS; i++)
        sum += ((Item *)map_get(&map, item_key(&w.items[w.order[i]])))->value;
    expect(sum, SUM_OF_VALUES);

    uint64_t found = 0;
    MEASURE("find what is not there")
    for (uint32_t i = 0; i < ITEMS; i++)
        found += map_get(&map, item_key(&w.strangers[w.order[i]])) != NULL;
    expect(found, 0);

    sum = 0;
    MEASURE("walk") {
        size_t at = 0;
        for (Item *item; (item = map_next(&map, &at));)
            sum += item->value;
    }
    expect(sum, SUM_OF_VALUES);

    MEASURE("remove")
    for (uint32_t i = 0; i < ITEMS; i++)
        map_remove(&map, item_key(&w.items[w.order[i]]));
    expect(map.count, 0);
    map_done(&map);
}
