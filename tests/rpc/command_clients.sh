# grpcurl, buf curl and curl against the echo server:
#
#     bash command_clients.sh ECHO-SERVER GRPCURL BUF CERT KEY
set -euo pipefail
program=$1 grpcurl=$2 buf=$3 cert=$4 key=$5
work=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null; rm -rf "$work"' EXIT
"$program" --cert "$cert" --key "$key" --unix "$work/socket" --page "$cert" >"$work/where" &
server=$!
for _ in {1..100}; do
    [ ! -s "$work/where" ] || break
    sleep 0.05
done
field() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/" "$work/where"; }
[ -s "$work/where" ] || { echo "the server did not start" && echo "0 passed, 1 failed" && exit 1; }
address=$(field address) tls=$(field tls) token=$(field control)
passed=0 failed=0

# check TITLE WANTED COMMAND…: the output, errors included, matches the extended regular expression
# WANTED, in which white space counts once or not at all.
check() {
    local title=$1 wanted=$2 got
    shift 2
    got=$(timeout 20 "$@" 2>&1 | tr -s '[:space:]' ' ') || true
    if [[ $got =~ $wanted ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1)) && printf '%s\n  got:  %s\n  want: %s\n' "$title" "$got" "$wanted"
    fi
}

# ---- grpcurl ----

g() { local title=$1 wanted=$2 && shift 2 && check "grpcurl: $title" "$wanted" "$grpcurl" "$@"; }
plain=(-plaintext)
g list 'echo.v1.Calls echo.v1.Things grpc.health.v1.Health grpc.reflection.v1.ServerReflection' "${plain[@]}" "$address" list
g 'list methods' 'echo.v1.Calls.Bidi .*echo.v1.Calls.Unary' "${plain[@]}" "$address" list echo.v1.Calls
g 'describe a service' 'rpc Bidi \( stream .echo.v1.Request \) returns \( stream .echo.v1.Response \) \{ option' \
    "${plain[@]}" "$address" describe echo.v1.Calls
g 'describe a message' 'map<string, string> labels = 26;' "${plain[@]}" "$address" describe echo.v1.Thing
g unary '"text": "grüße"' "${plain[@]}" -d '{"text":"grüße"}' "$address" echo.v1.Calls/Unary
g TLS '"text": "a"' -cacert "$cert" -d '{"text":"a"}' "localhost:${tls##*:}" echo.v1.Calls/Unary
g 'unix socket' '"text": "a"' "${plain[@]}" -d '{"text":"a"}' "unix://$work/socket" echo.v1.Calls/Unary
g 'our own user needs no token' '"protocol"' "${plain[@]}" "unix://$work/socket" echo.v1.Calls/NeedsControl
g 'server stream' '"index": 1,.*"index": 2' "${plain[@]}" -d '{"count":3}' "$address" echo.v1.Calls/ServerStream
g 'client stream' '"messages": 2' "${plain[@]}" -d '{"text":"a"}{"text":"b"}' "$address" echo.v1.Calls/ClientStream
g bidi '"text": "a".*"text": "b".*"text": "b"' "${plain[@]}" -d '{"text":"a"}{"text":"b"}' "$address" echo.v1.Calls/Bidi
g 'error with details' 'Code: NotFound Message: nö.*google.rpc.BadRequest", "fieldViolations": \[ \{ "field": "f"' \
    "${plain[@]}" -d '{"failure":{"code":5,"message":"nö","fields":["f"]}}' "$address" echo.v1.Calls/Unary
g deadline 'Code: DeadlineExceeded' "${plain[@]}" -max-time 0.2 -d '{"delayMs":9000}' "$address" echo.v1.Calls/Unary
g 'no token' 'Code: Unauthenticated' "${plain[@]}" "$address" echo.v1.Calls/NeedsControl
g token '"protocol"' "${plain[@]}" -H "authorization: Bearer $token" "$address" echo.v1.Calls/NeedsControl
g health '"status": "SERVING"' "${plain[@]}" "$address" grpc.health.v1.Health/Check
g 'health of a service' '"status": "SERVING"' "${plain[@]}" -d '{"service":"echo.v1.Calls"}' "$address" grpc.health.v1.Health/Check
g 'health of none' 'Code: NotFound' "${plain[@]}" -d '{"service":"no"}' "$address" grpc.health.v1.Health/Check
g 'health list' '"echo.v1.Things": \{ "status": "SERVING"' "${plain[@]}" "$address" grpc.health.v1.Health/List

# ---- buf curl ----

b() { local title=$1 wanted=$2 && shift 2 && check "buf curl: $title" "$wanted" "$buf" curl "$@"; }
knowing=(--http2-prior-knowledge)
b list 'echo.v1.Calls' "${knowing[@]}" --list-services "http://$address"
b 'list methods' 'echo.v1.Calls/Bidi' "${knowing[@]}" --list-methods "http://$address"
for protocol in connect grpc grpcweb; do
    with=("${knowing[@]}" --protocol "$protocol")
    b "$protocol unary" '"text": ?"a"' "${with[@]}" -d '{"text":"a"}' "http://$address/echo.v1.Calls/Unary"
    b "$protocol server stream" '"index": ?1.*"index": ?2' "${with[@]}" -d '{"count":3}' "http://$address/echo.v1.Calls/ServerStream"
    b "$protocol client stream" '"messages": ?2' "${with[@]}" -d '{"text":"a"}{"text":"b"}' "http://$address/echo.v1.Calls/ClientStream"
    b "$protocol bidi" '"text": ?"a".*"text": ?"b"' "${with[@]}" -d '{"text":"a"}{"text":"b"}' "http://$address/echo.v1.Calls/Bidi"
    b "$protocol error" '"code": ?"not_found".*"type": ?"google.rpc.BadRequest"' "${with[@]}" \
        -d '{"failure":{"code":5,"message":"n","fields":["f"]}}' "http://$address/echo.v1.Calls/Unary"
done
b TLS '"text": ?"a"' --cacert "$cert" -d '{"text":"a"}' "https://$tls/echo.v1.Calls/Unary"

# ---- curl: Connect and REST ----

# c TITLE WANTED PATH OPTION…; after the body the status in brackets.
c() {
    local title=$1 wanted=$2 path=$3
    shift 3
    check "curl: $title" "$wanted" curl -sg --max-time 10 -w ' [%{http_code} %{content_type}]' "$@" "http://$address$path"
}
json=(-H 'content-type: application/json')
unary=/echo.v1.Calls/Unary get=/echo.v1.Calls/Get
c 'Connect' '^\{"text":"a".*\[200 application/json\]' $unary "${json[@]}" -d '{"text":"a"}'
c 'Connect, HTTP/2' '^\{"text":"a".*\[200' $unary --http2-prior-knowledge "${json[@]}" -d '{"text":"a"}'
c 'Connect, h2c asked for' '^\{"text":"a".*\[200' $unary --http2 "${json[@]}" -d '{"text":"a"}'
c 'Connect, chunked' '^\{"text":"a".*\[200' $unary "${json[@]}" -H 'transfer-encoding: chunked' -d '{"text":"a"}'
c 'Connect, 100-continue' '^\{"text":"a".*\[200' $unary "${json[@]}" -H 'expect: 100-continue' -d '{"text":"a"}'
c 'Connect GET' '^\{"text":"a".*\[200' "$get?connect=v1&encoding=json&message=%7B%22text%22%3A%22a%22%7D"
c 'Connect GET of an unsafe method' '\[405' "$unary?connect=v1&encoding=json&message=%7B%7D"
c 'Connect GET without encoding' '\[415' "$get?connect=v1&message=%7B%7D"
c 'Connect error' '^\{"code":"not_found","message":"n","details":.*\[404' $unary "${json[@]}" \
    -d '{"failure":{"code":5,"message":"n","fields":["f"]}}'
c 'malformed JSON' '^\{"code":"invalid_argument","message":"[^"]*byte 5.*\[400' $unary "${json[@]}" -d '{"a" 1}'
c 'an unknown type' '\[415' $unary -H 'content-type: text/xml' -d '<a/>'
c 'an unknown encoding' '"unimplemented".*\[501' $unary "${json[@]}" -H 'content-encoding: lzma' -d '{}'
c 'a deadline' '"deadline_exceeded".*\[504' $unary "${json[@]}" -H 'connect-timeout-ms: 50' -d '{"delayMs":9000}'
c 'a method by PUT' '\[405' $unary -X PUT "${json[@]}" -d '{}'
c 'the unix socket' '\[200' $unary --unix-socket "$work/socket" "${json[@]}" -d '{}'

everything='int32=-5&uint32=5&int64=-9007199254740993&uint64=18446744073709551615&double=1.5e3&float=-0.5'
everything+='&bool=true&bytes=AP8=&colour=COLOUR_RED&tags=a&tags=b%20c&numbers=1&numbers=2&bools=true&bools=false'
everything+='&colours=COLOUR_GREEN&colours=1&leaf.number=7&leaf.text=x+y&leaf.colours=COLOUR_RED'
everything+='&at=2026-01-02T03:04:05.5Z&lasts=1.5s&mask=a.b,c&maybe=false&maybe_number=9&maybeText=t'
everything+='&optional_number=0&right=3&labels.k=v&text=%E2%82%AC'
understood='"name":"n","leaf":\{"number":7,"text":"x y","colours":\["COLOUR_RED"\]\},"tags":\["a","b c"\],"text":"€"'
understood+=',"int32":-5,"uint32":5,"int64":"-9007199254740993","uint64":"18446744073709551615","double":1500'
understood+=',"float":-0.5,"bool":true,"bytes":"AP8=","colour":"COLOUR_RED","numbers":\[1,2\],"bools":\[true,false\]'
understood+=',"colours":\["COLOUR_GREEN","COLOUR_RED"\],"at":"2026-01-02T03:04:05.500Z","lasts":"1.500s","mask":"a.b,c"'
understood+=',"maybe":false,"maybe_number":"9","maybe_text":"t","optional_number":0,"right":3,"labels":\{"k":"v"\}'
c 'query of every type' "$understood.*\[200 application/json\]" "/v1/things/n?$everything"
c 'query, unknown field' '"code":3,"message":"[^"]*nope.*\[400' '/v1/things/n?nope=1'
c 'query, wrong type' '"code":3,"message":"[^"]*int32.*\[400' '/v1/things/n?int32=x'
c 'query, malformed escape' '"code":3.*\[400' '/v1/things/n?text=%zz'
c 'path of several segments' '"name":"shelves/1/books/2/3".*\[200' /v1/shelves/1/books/2/3
c 'path whose rest is empty' '"name":"shelves/1/books".*\[200' /v1/shelves/1/books
c 'escaped slash in one segment' '"name":"a/b".*\[200' /v1/things/a%2Fb
c 'escaped slash in several' '"name":"a%2Fb/c".*\[200' /v1/all/a%2Fb/c
c 'nested variables' '"leaf":\{"number":5,"text":"t t".*\[200' /v1/nested/t%20t/5
c 'variable of the wrong type' '"code":3.*\[400' /v1/nested/t/x
c 'body *' '"name":"b","leaf":null|"name":"b".*\[200' /v1/things -d '{"name":"b"}'
c 'verb' '"name":"n".*"text":"x".*\[200' /v1/things/n:annotate -d '{"text":"x"}'
c 'the path wins over the body' '"name":"n".*\[200' /v1/things/n:annotate -d '{"name":"other"}'
c 'body field' '"name":"n","leaf":\{"number":3.*"text":"q".*\[200' '/v1/things/n/leaf?text=q' -X PUT -d '{"number":3}'
c 'body field, repeated' '"tags":\["a","b"\].*\[200' /v1/things/n/tags -X PATCH -d '["a","b"]'
c 'body field, broken out of' '"code":3.*\[400' /v1/things/n/tags -X PATCH -d '["a"],"text":"x"'
c 'no body wanted' '"code":3.*takes no body.*\[400' /v1/things/n -X DELETE -d '{}'
c delete '^\{\} \[200' /v1/things/n -X DELETE
c 'response_body, message' '^\{"number":3,"text":"","colours":\[\]\} \[200' '/v1/things/n/leaf?leaf.number=3'
c 'response_body, repeated' '^\["a","b"\] \[200' '/v1/things/n/tags?tags=a&tags=b'
c 'response_body, empty' '^\[\] \[200' /v1/things/n/tags
c 'response_body, text' '^"a\\"b" \[200' '/v1/things/n/text?text=a%22b'
c 'response_body, no text' '^"" \[200' /v1/things/n/text
c 'custom verb' '"name":"n".*\[200' /v1/things/n -X REPORT
c 'an unknown verb' '\[405' /v1/things/n -X TRACE
c 'an unknown path' '^not found \[404' /v1/nothing
c 'the page for other paths' 'BEGIN CERTIFICATE.*\[200 text/html' /some/page
for pair in 3:400 5:404 6:409 7:403 8:429 9:400 10:409 12:501 13:500 14:503 16:401; do
    c "status $pair" "^\{\"code\":${pair%:*},\"message\":\"as asked: why\",\"details\":\[\]\} \[${pair#*:} " \
        "/v1/failures/${pair%:*}?text=why"
done
printf '{"name":"a"}\n\n{"name":"b"}\r\n{"name":"c"}' >"$work/lines"
c 'lines up' '^\{"count":3,"names":\["a","b","c"\]\} \[200' /v1/uploads --data-binary "@$work/lines"
c 'no lines up' '^\{"count":0,"names":\[\]\} \[200' /v1/uploads -X POST
c 'a bad line' '"code":3.*\[400' /v1/uploads --data-binary $'{"name":"a"}\n{"name":}\n'
c 'lines down' '"int32":0.*"int32":1.*\[200 application/x-ndjson\]' /v1/downloads/2
c 'an error after lines' '"int32":0.*"error":\{"code":9,"message":"after 1".*\[200' '/v1/downloads/1?uint32=9'
c 'an error before lines' '^\{"code":9.*\[400 application/json' '/v1/downloads/0?uint32=9'
c 'events' '^data: \{.*"int32":0.* data: .*"int32":1.*\[200 text/event-stream\]' /v1/downloads/2 -H 'accept: text/event-stream'
c 'an error after events' 'event: error data: \{"code":9.*\[200' '/v1/downloads/1?uint32=9' -H 'accept: text/event-stream'
c 'lines both ways' '"name":"a".*"name":"b".*"name":"c".*\[200 application/x-ndjson' /v1/chats --data-binary "@$work/lines"
c 'gzip asked for' '"name":"n".*\[200' /v1/things/n --compressed
gzip -c "$work/lines" >"$work/lines.gz"
printf '{"name":"zipped"}' | gzip >"$work/zipped"
c 'gzip sent' '"name":"zipped".*\[200' /v1/things -H 'content-encoding: gzip' --data-binary "@$work/zipped"
c 'gzip of lines sent' '"code":12.*\[501' /v1/uploads -H 'content-encoding: gzip' --data-binary "@$work/lines.gz"

kill "$server"
wait "$server" || { failed=$((failed + 1)) && echo 'the server ended badly'; }
echo "$passed passed, $failed failed"
