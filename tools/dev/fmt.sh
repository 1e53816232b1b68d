# fmt [--check]: lays out the C and C++ sources by .clang-format.
#
#   --check   changes nothing; names the files that are not laid out so and fails
need test

case ${1:-} in
'') sources '*.c' '*.h' '*.cc' | tr '\n' '\0' | xargs -0 clang-format -i ;;
--check)
    source tools/dev/suites/fmt.sh
    [ -z "$untidy" ]
    ;;
*) die -2 "fmt: unknown argument: $1 (try --help)" ;;
esac
