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
for service in topology; do
    timeout 180 node "tests/services/$service.mjs" build/muster "$work/set.binpb" "$grpcurl" >"$work/log" 2>&1 || true
    read -r good _ bad _ <<<"$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$work/log" | tail -n 1)"
    [ "${bad:-1}" = 0 ] || cat "$work/log"
    echo "$service: ${good:=0} passed, ${bad:=1} failed"
    passed=$((passed + good)) failed=$((failed + bad))
done
echo "$passed passed, $failed failed"
