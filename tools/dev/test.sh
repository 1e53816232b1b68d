# test [NAME…]: every check there is, or those named.
#
# A NAME is a suite, or a unit test such as `base/map`, which is then run in every build.
# The suites, in their order:
#
#   fmt         the sources are laid out by .clang-format, the protos by buf, the page by Prettier
#   tidy        clang-tidy finds nothing
#   proto       buf and protoc find nothing; compatible with the last release
#   unit        unit tests, optimised build
#   asan        unit tests with AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan        unit tests with ThreadSanitizer
#   fuzz        each fuzz target: its corpus, then a few seconds of new input
#   protobuf    the official Protobuf conformance suite, binary and JSON
#   check       muster check from outside, its JSON schema in another's hands
#   toml        toml-test: the TOML community's valid and invalid files
#   roundtrip   our messages and @bufbuild/protobuf's are the same, there and back
#   commands    what people type, from muster init to muster down, with real processes and terminals
#   clients     programs of others, from grpcurl to Chromium, call a server of ours
#   services    the services of the program itself, by grpc-js, grpcurl and curl
#   servers     muster call and describe, against servers of others and our own
#   attack      floods, bombs, slow clients, crowds, forgeries leave a server small and serving
#   orchestrator  real servers and misbehaving programs under the orchestrator; kills of all kinds
#   kills       the runtime killed 200 times under twenty services, the keeper, both: nothing is lost
#   connect     the Connect conformance suite: our server and our client
#   http2       h2spec: HTTP/2 and HPACK, cleartext and TLS
#   typescript  the TypeScript client against a real runtime, and its guide as it is written
#   dashboard   the page: its units, then Chromium against the program that runs the calculator
#
# What a suite printed is kept in build-logs/. Ends with `N passed, N failed`, the sum over
# the suites of single test cases; status 0 only when none failed.
need build test

# One file of tools/dev/suites/ each: it prints what it finds and ends with `N passed, N failed`.
SUITES=(fmt tidy proto unit asan tsan fuzz protobuf check toml roundtrip commands clients services servers attack connect http2 typescript orchestrator kills dashboard)

logs=build-logs
passed=0 failed=0 summary=()

# run_suite NAME [ARGUMENT…]: shows and keeps what it prints, and adds up its last line.
run_suite() {
    local suite=$1 log=$logs/$1.log counts start=$SECONDS good bad colour=$GREEN
    shift
    say "$suite"
    bash -euo pipefail -c 'source tools/dev/lib.sh; suite=$1; shift; source "$suite"' dev \
        "tools/dev/suites/$suite.sh" "$@" </dev/null 2>&1 | tee "$log" || true
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1) || counts='0 passed, 1 failed'
    read -r good _ bad _ <<<"$counts"
    [ "$bad" = 0 ] && [ "$good" -gt 0 ] || colour=$RED
    passed=$((passed + good)) failed=$((failed + bad))
    summary+=("$(printf '%s%-12s%s %6d passed %6d failed %5d s' "$colour" "$suite" "$PLAIN" "$good" "$bad" $((SECONDS - start)))")
}

suites=() tests=()
for name; do
    if is_one_of "$name" "${SUITES[@]}"; then
        suites+=("$name")
    else
        tests+=("$name")
    fi
done
if [ ${#tests[@]} -gt 0 ]; then
    source tools/dev/compile.sh
    compile release >/dev/null || die "build/ does not build: see ./dev build"
    mapfile -t known < <(meson test -C build --no-rebuild --list 2>/dev/null)
    for name in "${tests[@]}"; do
        is_one_of "$name" "${known[@]}" ||
            die -2 "no such test: $name; there are ${SUITES[*]} and ${known[*]}"
    done
    [ ${#suites[@]} -gt 0 ] || suites=(unit asan tsan)
elif [ $# = 0 ]; then
    suites=("${SUITES[@]}")
fi

mkdir -p "$logs"
for suite in "${suites[@]}"; do
    run_suite "$suite" "${tests[@]}"
done

echo
printf '%s\n' "${summary[@]}"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
