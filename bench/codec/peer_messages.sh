#!/bin/sh
# Gives the contract's messages to another compiler: peer_messages.sh cpp|c FOLDER PROTO…
#
# All messages become one file, messages.proto, without services and our options. Debian's
# protobuf-c refuses `optional`, so its copy has none; as the data sets all those fields to
# something, the bytes are the same. The compiler's output lies in FOLDER.
set -eu
kind=$1 out=$2
shift 2

edits='/^service /,/^}/d; /^\(syntax\|package\|import\) /d'
others=
if [ "$kind" = c ]; then
    edits="$edits; s/^\( *\)optional /\1/"
    others=google/protobuf/struct.proto # its library brings no messages of Google's
fi

mkdir -p "$out/$kind"
{
    echo 'syntax = "proto3"; package runtime.v1; import "google/protobuf/struct.proto";'
    cat "$@" | sed "$edits"
} >"$out/$kind/messages.proto"
protoc -I "$out/$kind" "--${kind}_out=$out" $others messages.proto
