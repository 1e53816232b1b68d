# demo [--for 20s]: starts a calculator whose parts find each other by name, and shows it live.
#
# Installs and builds what is missing, starts examples/calculator by `muster up`, and leaves you at
# `muster top`; Ctrl-C ends it all. With --for it runs unattended for about that long: services
# become healthy, calls flow, a server is killed, the runtime is killed, one request is followed
# through all services. It says what happened, and its status is 0 only if all of it did.
seconds=
while [ $# -gt 0 ]; do
    case $1 in
    --for) shift && seconds=$(seconds_of "${1:-}") || die -2 "demo: --for wants a time such as 20s or 1m" ;;
    *) die -2 "demo: unknown argument: $1 (try --help)" ;;
    esac
    shift
done
[ -t 1 ] && [ -z "${CI:-}" ] || seconds=${seconds:-20}

need build
command -v npm >/dev/null && command -v node >/dev/null || need test
source tools/dev/compile.sh
source tools/dev/typescript.sh
compile release muster examples/calculator/c/calculator-{server,client}
typescript_need

if [ -n "$seconds" ]; then
    python3 tools/dev/demo.py "$PWD/build/muster" examples/calculator "$seconds"
    exit
fi

work=$(mktemp -d)
muster() { "$PWD/build/muster" "$@" --data "$work"; }
trap 'muster down --quiet || true; rm -rf "$work"' EXIT
say "muster up -d"
muster up -d -f examples/calculator/muster.yaml -f examples/calculator/c.yaml --listen 127.0.0.1:0
echo
echo "the page: $(muster link)"
echo "Ctrl-C ends the view, and the demo with it"
sleep 2
muster top || true
