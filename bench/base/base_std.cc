// std::unordered_map at a million entries.
#include <unordered_map>

#include "map_peer.h"

int main() {
    measure_map<std::unordered_map<std::string_view, Item *>>();
}
