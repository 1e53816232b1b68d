# Random messages of every type of runtime.v1 through our codec (with AddressSanitizer) and
# @bufbuild/protobuf, there and back. Each type is a case. SEED and MESSAGES may be set.
source tools/dev/compile.sh
source tools/dev/npm.sh
npm_need
compile asan tests/roundtrip_peer tests/runtime.binpb || { echo '0 passed, 1 failed' && exit; }
set=build-asan/tests/runtime.binpb
timeout 600 node tests/roundtrip/roundtrip.mjs "$set" build-asan/tests/roundtrip_peer "$set"
