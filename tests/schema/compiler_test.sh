#!/bin/sh
# What protoc-gen-muster refuses, and how it says so. Arguments: protoc, the plugin. Speaks TAP.
protoc=$1 plugin=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0

# refused NAME TEXT OPTION: compiles what stands on stdin; the complaint must hold TEXT.
refused() {
    number=$((number + 1))
    cat >"$work/t.proto"
    if "$protoc" "--plugin=protoc-gen-muster=$plugin" "--proto_path=$work" "--muster_out=$work" \
        "--muster_opt=$3" t.proto >"$work/said" 2>&1; then
        echo "not ok $number - $1: accepted"
    elif grep -qF -- "$2" "$work/said"; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        sed 's/^/# /' "$work/said"
    fi
}

echo 1..6
refused 'two types of one name in C' 'p.A.B and p.AB are both called PAB' '' <<PROTO
syntax = "proto3"; package p;
message A { message B {} }
message AB {}
PROTO
refused 'two constants of one name in C' 'p.A.B_C and p.A.A_B_C are both called P_A_B_C' '' <<PROTO
syntax = "proto2"; package p;
enum A { B_C = 0; A_B_C = 1; }
PROTO
refused 'a method that is called like a table' 'are both called P_S_service' 'prefix=p:P_' <<PROTO
syntax = "proto3"; package p;
message M {}
service S { rpc service(M) returns (M); }
PROTO
refused 'an unknown parameter' 'unknown parameter' 'prefxi=p:P' <<PROTO
syntax = "proto3";
PROTO
refused 'a prefix of nothing' 'unknown parameter' 'prefix=:P' <<PROTO
syntax = "proto3";
PROTO

number=$((number + 1))
if printf '\177' | "$plugin" >/dev/null 2>"$work/said" || ! grep -q '^protoc-gen-muster: ' "$work/said"; then
    echo "not ok $number - a malformed request"
else
    echo "ok $number - a malformed request"
fi
