# fuzz [TARGET] [--for 60s]: feeds a parser with invented input, under ASan and UBSan.
#
# Without a TARGET, lists them. A target is a file NAME_fuzz.c; its corpus is the folder NAME_fuzz/
# beside it. New inputs are gathered in build-fuzz/corpus/, and what breaks the parser is kept in
# build-fuzz/findings/; status 1 when there is such a find.
need build test
source tools/dev/fuzz_target.sh

target='' seconds=60
while [ $# -gt 0 ]; do
    case $1 in
    --for) shift && seconds=$(seconds_of "${1:-}") || die -2 "fuzz: --for wants a time such as 60s or 10m" ;;
    --*) die -2 "fuzz: unknown argument: $1 (try --help)" ;;
    *) target=$1 ;;
    esac
    shift
done
if [ -z "$target" ]; then
    fuzz_targets
    exit 0
fi
is_one_of "$target" $(fuzz_targets) || { echo "fuzz: no such target: $target; there are:" && fuzz_targets; exit 2; } >&2
fuzz_build
fuzz_run "$target" "$seconds"
