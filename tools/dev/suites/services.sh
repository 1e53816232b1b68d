# The services of the program itself, by clients nobody here wrote: grpc-js, grpcurl, curl; with the
# runtime stopped, killed and flooded. One file of tests/services/ a service.
source tools/dev/compile.sh
source tools/dev/go.sh
source tools/dev/npm.sh
npm_need
grpcurl=$(go_tool grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3)
compile release >/dev/null || { echo '0 passed, 1 failed' && exit; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
protoc -I proto --include_imports -o "$work/set.binpb" proto/runtime/v1/*.proto

passed=0 failed=0
# count LABEL COMMAND…: one program of tests, which ends with `N passed, N failed`.
count() {
    local label=$1 good bad
    shift
    timeout 180 "$@" >"$work/log" 2>&1 || true
    read -r good _ bad _ <<<"$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$work/log" | tail -n 1)"
    [ "${bad:-1}" = 0 ] || cat "$work/log"
    echo "$label: ${good:=0} passed, ${bad:=1} failed"
    passed=$((passed + good)) failed=$((failed + bad))
}

for service in discovery logs topology; do
    count "$service" node "tests/services/$service.mjs" build/muster "$work/set.binpb" "$grpcurl"
done
count 'discovery under faults' python3 tests/services/discovery.py build/muster "$grpcurl"
echo "$passed passed, $failed failed"
