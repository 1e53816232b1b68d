# Each fuzz target is a case: its corpus, then a few seconds of new input, and no find.
source tools/dev/fuzz_target.sh
SECONDS_EACH=${FUZZ_SECONDS:-10}

fuzz_build || { echo '0 passed, 1 failed' && exit; }
passed=0 failed=0
for target in $(fuzz_targets); do
    log=build-fuzz/$target.log
    if fuzz_run "$target" "$SECONDS_EACH" >"$log" 2>&1; then
        passed=$((passed + 1))
        echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs"
    else
        failed=$((failed + 1))
        tail -n 40 "$log" && echo "$target: broken; see $log"
    fi
done
echo "$passed passed, $failed failed"
