# demo [--for 20s]: builds Muster, starts it, and shows what it can do so far.
#
# So far that is one port that answers gRPC, gRPC-Web and Connect, and says what it serves to
# whoever asks. Starting and watching services comes next, and will be shown here then.
seconds=20
while [ $# -gt 0 ]; do
    case $1 in
    --for) shift && seconds=$(seconds_of "${1:-}") || die -2 "demo: --for wants a time such as 20s or 1m" ;;
    *) die -2 "demo: unknown argument: $1 (try --help)" ;;
    esac
    shift
done

need build
source tools/dev/compile.sh
compile release muster

work=$(mktemp -d) server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
muster=$PWD/build/muster

# show COMMAND…: what one would type, then what comes of it.
show() {
    local word line="$ ${1##*/}"
    for word in "${@:2}"; do
        [[ $word =~ ^[A-Za-z0-9_./:-]+$ ]] && line+=" $word" || line+=" '$word'"
    done
    echo && echo "$BOLD$line$PLAIN"
    "$@" || die "that should have worked; the runtime says: $(cat "$work/log")"
}

say "starting the runtime: muster serve --listen 127.0.0.1:0"
"$muster" serve --listen 127.0.0.1:0 --data "$work/data" >"$work/out" 2>"$work/log" &
server=$!
for _ in {1..100}; do
    [ ! -s "$work/out" ] || break
    kill -0 "$server" 2>/dev/null || die "it ended at once: $(cat "$work/log")"
    sleep 0.05
done
cat "$work/out"
address=$(sed -n 's,^listening on http://,,p' "$work/out")
[ -n "$address" ] || die "it did not say where it listens: $(cat "$work/log")"

say "one port, several protocols, and it tells what it serves"
show "$muster" describe "$address" grpc.health.v1.Health
show "$muster" call "$address" grpc.health.v1.Health/Check '{}'
show "$muster" call --protocol connect "$address" grpc.health.v1.Health/Check '{}'
show "$muster" call --protocol grpc-web "$address" grpc.health.v1.Health/List '{}'
if command -v curl >/dev/null; then
    show curl -sS "http://$address/grpc.health.v1.Health/Check" -H 'content-type: application/json' -d '{}'
    echo
fi

say "calling it in turn by each protocol until $seconds s have passed"
calls=0 end=$((SECONDS + seconds)) told=$SECONDS
while [ "$SECONDS" -lt "$end" ]; do
    for protocol in grpc connect grpc-web; do
        "$muster" call --protocol "$protocol" "$address" grpc.health.v1.Health/Check '{}' >"$work/reply" ||
            die "a call by $protocol failed: $(cat "$work/log")"
        calls=$((calls + 1))
    done
    if [ -t 1 ] && [ -z "${CI:-}" ]; then
        printf '\r%6d calls answered, each from a process of its own; memory of the runtime: %s KiB ' \
            "$calls" "$(awk '/^VmRSS/ { print $2 }' "/proc/$server/status")"
    elif [ $((SECONDS - told)) -ge 5 ]; then
        told=$SECONDS && echo "$calls calls answered"
    fi
done
echo && echo "$calls calls answered, each from a process of its own"

say "ending it by SIGTERM"
kill "$server" && wait "$server" || die "it ended with status $?"
server=
echo "ended in good order"
