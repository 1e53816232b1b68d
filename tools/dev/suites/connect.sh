# The Connect conformance suite: gRPC, gRPC-Web and Connect with every codec, compression and HTTP
# version we have, cleartext and TLS; our server, then our client; no known failures.
source tools/dev/compile.sh
source tools/dev/go.sh

module=connectrpc.com/conformance@v1.0.5
runner=$(go_tool connectconformance "${module%@*}/cmd/connectconformance@${module#*@}")
protos=$(go mod download -json "$module" | sed -n 's/^\s*"Dir": "\(.*\)",$/\1/p')/proto
[ -d "$protos/connectrpc" ] || die "go could not download $module"
results=build/connect
configure release
[ "$(meson introspect --buildoptions build | python3 -c 'import json, sys
print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "connect_protos"))')" = "$protos" ] ||
    meson configure build -Dconnect_protos="$protos"
mkdir -p "$results"

passed=0 failed=0
# conform MODE PROGRAM: one run; every case that failed is shown.
conform() {
    local mode=$1 program=tests/conformance/connect/$2 log=$results/$1.log status=0 good bad
    compile release "$program" >"$log" || { cat "$log" && die "$program does not build"; }
    timeout 900 "$runner" --mode "$mode" --conf tests/conformance/connect/full.yaml -- "build/$program" \
        >"$log" 2>&1 || status=$?
    grep -A 3 '^FAILED: ' "$log" || true
    read -r good bad <<<"$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed.*/\1 \2/p' "$log")"
    [ -n "${good:-}" ] || good=0 bad=0
    # Cases whose server or client did not start are not counted by the runner.
    [ "$status" = 0 ] || [ "$bad" -gt 0 ] || { tail -n 40 "$log" && bad=1; }
    echo "$mode: $good passed, $bad failed"
    passed=$((passed + good)) failed=$((failed + bad))
}

conform server connect_server
[ ! -f tests/conformance/connect/client.c ] || conform client connect_client
echo "$passed passed, $failed failed"
