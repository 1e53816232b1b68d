# h2spec: the HTTP/2 and HPACK specifications, strict, on cleartext and on TLS.
source tools/dev/compile.sh
source tools/dev/go.sh

h2spec=$(go_tool h2spec github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible)
work=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null; rm -rf "$work"' EXIT
configure release
compile release tests/http_echo_server >"$work/build.log" || { cat "$work/build.log" && die "the echo server does not build"; }
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
build/tests/http_echo_server 127.0.0.1:0 127.0.0.1:0 "$work/cert.pem" "$work/key.pem" >"$work/ports" &
server=$!
for _ in {1..100}; do
    [ "$(wc -l <"$work/ports")" -lt 2 ] || break
    sleep 0.05
done
mapfile -t ports < <(sed 's/.*://' "$work/ports")

passed=0 failed=0
# spec_run LABEL OPTION…
spec_run() {
    local label=$1 good skipped bad
    shift
    timeout 120 "$h2spec" --strict -h 127.0.0.1 -o 3 "$@" >"$work/log" 2>&1 || true
    sed -n '/^Failures:/,$p' "$work/log"
    read -r good skipped bad <<<"$(sed -n 's/^[0-9]* tests, \([0-9]*\) passed, \([0-9]*\) skipped, \([0-9]*\) failed.*/\1 \2 \3/p' "$work/log")"
    [ -n "${good:-}" ] || { cat "$work/log" && good=0 skipped=0 bad=1; }
    echo "$label: $good passed, $bad failed, $skipped skipped"
    passed=$((passed + good)) failed=$((failed + bad + skipped))
}
spec_run cleartext -p "${ports[0]}"
spec_run TLS -p "${ports[1]}" -t -k
echo "$passed passed, $failed failed"
