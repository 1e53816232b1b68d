# Clients nobody here wrote against a server of ours (with AddressSanitizer), every kind of call:
# grpcurl, buf curl, curl; grpc-js and connect-node; connect-web in Chromium; Python's grpcio.
source tools/dev/compile.sh
source tools/dev/go.sh
source tools/dev/npm.sh
source tools/dev/python.sh
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
npm_need
python_need
grpcurl=$(go_tool grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3)
server=build-asan/tests/rpc/echo_server
compile asan "${server#*/}" >/dev/null || { echo '0 passed, 1 failed' && exit; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
set=$work/echo.binpb cert=$work/cert.pem key=$work/key.pem
protoc -I proto -I tests/rpc --include_imports -o "$set" echo.proto google/rpc/status.proto google/rpc/error_details.proto
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout "$key" -out "$cert" 2>/dev/null

passed=0 failed=0
# clients LABEL COMMAND…: one program of clients, which ends with `N passed, N failed`.
clients() {
    local label=$1 good bad
    shift
    timeout 180 "$@" >"$work/log" 2>&1 || true
    read -r good _ bad _ <<<"$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$work/log" | tail -n 1)"
    [ "${bad:-1}" = 0 ] || cat "$work/log"
    echo "$label: ${good:=0} passed, ${bad:=1} failed"
    passed=$((passed + good)) failed=$((failed + bad))
}

clients 'grpcurl, buf curl, curl' bash tests/rpc/command_clients.sh "$server" "$grpcurl" tests/node_modules/.bin/buf "$cert" "$key"
clients 'grpc-js, connect-node' node tests/rpc/node_clients.mjs "$set" "$server" "$cert" "$key"
clients 'connect-web in Chromium' node tests/rpc/browser.mjs "$set" "$server"
clients "Python's grpcio" "$python" tests/rpc/python_client.py "$set" "$server"
echo "$passed passed, $failed failed"
