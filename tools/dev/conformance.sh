# conformance protobuf: runs an official conformance suite against us and prints the counts.
#
#   protobuf   the Protobuf suite, binary and JSON, in its strict mode, with no list of known
#              failures; text format is skipped, and JSON that names proto2 extensions
#
# Each is one of the suites of ./dev test. Ends with `N passed, N failed`; status 0 only when none
# failed.
CONFORMANCE=(protobuf)

is_one_of "${1:-}" "${CONFORMANCE[@]}" || die -2 "conformance: ${1:+no such suite: $1; }there are ${CONFORMANCE[*]}"
exec ./dev test "$1"
