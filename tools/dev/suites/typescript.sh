# The TypeScript client: its units, against a real runtime, its guide as it is written, its reference.
source tools/dev/compile.sh
source tools/dev/typescript.sh
compile release muster >/dev/null || { echo '0 passed, 1 failed' && exit; }
typescript_need
log=build-logs/typescript.tap
mkdir -p build-logs
MUSTER=$PWD/build/muster timeout 300 npm --prefix sdk/ts test --silent >"$log" 2>&1 || true
passed=$(sed -n 's/^# pass //p' "$log") failed=$(sed -n 's/^# fail //p' "$log")
grep -A12 '^ *not ok' "$log" || true
[ -n "$passed" ] || { tail -n 20 "$log" && passed=0 failed=1; }
if npm --prefix sdk/ts run --silent docs >build-logs/typedoc.log 2>&1; then
    echo "the reference: made" && passed=$((passed + 1))
else
    cat build-logs/typedoc.log && failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
