// absl::flat_hash_map at a million entries.
#include <absl/container/flat_hash_map.h>

#include "map_peer.h"

int main() {
    measure_map<absl::flat_hash_map<std::string_view, Item *>>();
}
