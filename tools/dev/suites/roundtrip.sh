# Random messages of every type of runtime.v1 through our codec (with AddressSanitizer) and
# @bufbuild/protobuf, there and back: first with the tables that are compiled in, then with those
# that are built from descriptors at run time. Each type is a case. SEED and MESSAGES may be set.
source tools/dev/compile.sh
source tools/dev/npm.sh
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
npm_need
compile asan tests/roundtrip_peer || { echo '0 passed, 1 failed' && exit; }
peer=build-asan/tests/roundtrip_peer
set=build-asan/tests/runtime.binpb
protoc -I proto --include_imports -o "$set" proto/runtime/v1/*.proto

passed=0 failed=0
for arguments in "" "$set"; do
    output=$(timeout 600 node tests/roundtrip/roundtrip.mjs "$set" "$peer" $arguments) || true
    echo "$output" | sed '$d'
    read -r good _ bad _ < <(tail -n 1 <<<"$output")
    passed=$((passed + good)) failed=$((failed + bad))
done
echo "$passed passed, $failed failed"
