# Runs meson's tests. Sourced, after compile.sh.

# unit_tests KIND [TEST…]: builds, runs all tests of that build or those named, and ends with
# their count, case by case.
unit_tests() {
    local kind=$1 folder results status=0
    shift
    folder=$(build_folder "$kind")
    results=$folder/meson-logs/testlog.junit.xml
    compile "$kind" || { echo '0 passed, 1 failed' && return; }
    rm -f "$results"
    meson test -C "$folder" --no-rebuild --num-processes "$JOBS" --timeout-multiplier 4 \
        --print-errorlogs "$@" || status=$?
    python3 tools/dev/count_junit.py "$results" "$status"
}
