# bench NAME [--json] [--rounds N]: measures Muster beside its peers.
#
#   base      the hash map at a million entries
#   codec     messages to and from bytes and JSON
#   config    a thousand services read from YAML: libfyaml alone
#   keeper    100 processes started and ended, output taken: posix_spawn and a pipe
#   orchestrator  a hundred services up and down, idle, their output: supervisord, PM2
#   rpc       unary calls: nghttpd, tonic, grpc-go, C++ gRPC, each server on one processor
#   dashboard the page in Chromium: frames, long tasks, memory (--minutes N of it), time to red
#   discovery lookups by name: etcd; beats of a million services; watchers of a busy graph
#   logs      a million entries taken over, searched, and their bytes on the disk: SQLite FTS5,
#             VictoriaLogs
#   startup   muster serve from its start to its first answer: node, python, nginx, redis
#   store     durable transactions: etcd, SQLite alone; segments of output: plain write(2)
#
# Prints a table: measure, Muster, each peer, and how many times better Muster is. The figures are
# medians of N rounds (5) that alternate between the programs; peers that are not installed are
# named as missing. --json prints the same for machines.
source tools/dev/compile.sh

BENCHES=(base codec config dashboard discovery keeper logs orchestrator rpc startup store)

name='' options=()
while [ $# -gt 0 ]; do
    case $1 in
    --json) options+=(--json) ;;
    --minutes) shift && options+=(--minutes "${1:?bench: --minutes wants a number}") ;;
    --rounds) shift && options+=(--rounds "${1:?bench: --rounds wants a number}") ;;
    --*) die -2 "bench: unknown argument: $1 (try --help)" ;;
    *) name=$1 ;;
    esac
    shift
done
is_one_of "$name" "${BENCHES[@]}" || die -2 "bench: ${name:+no such measurement: $name; }there are ${BENCHES[*]}"

need build bench >&2
if [ "$name" = dashboard ]; then
    source tools/dev/npm.sh
    { npm_need && compile release muster; } >&2
    node bench/dashboard/run.mjs build/muster "${options[@]}"
    exit
fi
configure bench >&2
mapfile -t programs < <(ninja -C build-bench -t targets all | sed -n "s,^\(bench/$name/\([a-z]*/\)\?$name[_.][a-z_0-9]*\): .*,\1,p")
! is_one_of "$name" discovery orchestrator startup || programs+=(muster)
compile bench "${programs[@]}" >&2
if [ -f "bench/$name/run.py" ]; then # servers under load, not programs that measure themselves
    python3 "bench/$name/run.py" "build-bench/bench/$name" .cache "${options[@]}"
else
    python3 bench/run.py "$name" "build-bench/bench/$name" "${options[@]}"
fi
