# Finding, building and running libFuzzer targets. Sourced.
source tools/dev/compile.sh

export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

fuzz_sources() { sources '*_fuzz.c'; }
fuzz_targets() { fuzz_sources | sed 's,.*/,,; s,_fuzz\.c$,,' | sort; }

fuzz_build() {
    mapfile -t programs < <(fuzz_sources | sed 's/\.c$//')
    compile fuzz "${programs[@]}"
}

# fuzz_run TARGET SECONDS: first the corpus, then new input. Fails when something breaks.
fuzz_run() {
    local target=$1 seconds=$2 source program seeds
    source=$(fuzz_sources | grep "\(^\|/\)${target}_fuzz\.c\$")
    seeds=${source%.c}
    program=build-fuzz/$seeds
    [ -d "$seeds" ] || die "no corpus $seeds/ beside $source"
    mkdir -p "build-fuzz/corpus/$target" build-fuzz/findings
    "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="build-fuzz/findings/$target-" "build-fuzz/corpus/$target" "$seeds"
}
