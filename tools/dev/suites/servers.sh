# muster call and muster describe (with AddressSanitizer) against servers: our own, cleartext and
# TLS; and those nobody here wrote: grpc-go with reflection and a proto2 schema, grpc-js, connect-node.
source tools/dev/compile.sh
source tools/dev/npm.sh
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
npm_need
compile asan muster >/dev/null || { echo '0 passed, 1 failed' && exit; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
server=$PWD/.cache/bin/grpc_go_server
mkdir -p "${server%/*}"
command -v go >/dev/null || die "a server is built by Go: install golang-go"
(cd tests/servers/grpc_go && go build -o "$server" .) || die "go could not build tests/servers/grpc_go"
protoc -I tests/servers --include_imports --include_source_info -o "$work/legacy.binpb" legacy.proto
protoc -I proto -I tests/rpc --include_imports -o "$work/echo.binpb" \
    echo.proto google/rpc/status.proto google/rpc/error_details.proto
timeout 300 node tests/servers/commands.mjs build-asan/muster "$work/echo.binpb" "$server" "$work/legacy.binpb"
