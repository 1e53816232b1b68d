# conformance protobuf|connect|http2: runs an official conformance suite against us and prints the counts.
#
#   protobuf   the Protobuf suite, binary and JSON, in its strict mode, with no list of known
#              failures; text format is skipped, and JSON that names proto2 extensions
#   connect    the Connect suite with all it knows but HTTP/3: our server, then our client, with no
#              list of known failures
#   http2      h2spec, all cases in its strict mode, on cleartext and TLS
#
# Each is one of the suites of ./dev test. Ends with `N passed, N failed`; status 0 only when none
# failed.
CONFORMANCE=(protobuf connect http2)

is_one_of "${1:-}" "${CONFORMANCE[@]}" || die -2 "conformance: ${1:+no such suite: $1; }there are ${CONFORMANCE[*]}"
exec ./dev test "$1"
