# The protos: by the rules of proto/buf.yaml, understood by protoc, and compatible with the last
# release. Each is a case.
#
# proto/released.binpb is the image of the last release; a release renews it by
#     buf build proto --exclude-source-info -o proto/released.binpb
source tools/dev/npm.sh
npm_need
buf=tests/node_modules/.bin/buf
image=proto/released.binpb
passed=0 failed=0

# check WHAT COMMAND…: a case.
check() {
    local what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1)) && echo "not so: $what"
    fi
}

compiled() { (cd proto && protoc -I. -o/dev/null $(find runtime muster google -name '*.proto')); }
compatible() {
    [ -f "$image" ] || { echo "no release yet to be compatible with" && return; }
    "$buf" breaking proto --against "$image"
}

check "by the rules of proto/buf.yaml" "$buf" lint proto
check "understood by protoc" compiled
check "compatible with the last release" compatible
echo "$passed passed, $failed failed"
