/* The same work for a map with the interface of the C++ standard library. */
#pragma once

#include <string_view>

#include "map_workload.h"

template <class Map> void measure_map() {
    Workload w = workload();
    auto key = [](const Item &item) { return std::string_view(item.id, ID_SIZE); };
    size_t before = heap_bytes();
    Map map;
    MEASURE("insert")
    for (uint32_t i = 0; i < ITEMS; i++)
        map.insert_or_assign(key(w.items[i]), &w.items[i]);
    report("memory per entry", "B", (double)(heap_bytes() - before) / ITEMS);

    uint64_t sum = 0;
    MEASURE("find")
    for (uint32_t i = 0; i < ITEMS; i++)
        sum += map.find(key(w.items[w.order[i]]))->second->value;
    expect(sum, SUM_OF_VALUES);

    uint64_t found = 0;
    MEASURE("find what is not there")
    for (uint32_t i = 0; i < ITEMS; i++)
        found += map.find(key(w.strangers[w.order[i]])) != map.end();
    expect(found, 0);

    sum = 0;
    MEASURE("walk")
    for (auto &[id, item] : map)
        sum += item->value;
    expect(sum, SUM_OF_VALUES);

    MEASURE("remove")
    for (uint32_t i = 0; i < ITEMS; i++)
        map.erase(key(w.items[w.order[i]]));
    expect(map.size(), 0);
}
