# fmt [--check]: lays out the C and C++ sources by .clang-format, the protos by buf, the page and the
# TypeScript client by Prettier.
#
#   --check   changes nothing; names the files that are not laid out so and fails
need test
source tools/dev/clang_format.sh
source tools/dev/npm.sh
source tools/dev/prettier.sh

case ${1:-} in
'')
    sources '*.c' '*.h' '*.cc' | tr '\n' '\0' | xargs -0 "$CLANG_FORMAT" -i
    npm_need
    tests/node_modules/.bin/buf format proto --exclude-path proto/google --write
    prettier_sources | tr '\n' '\0' | xargs -0 "$PRETTIER" --log-level warn --write
    ;;
--check)
    source tools/dev/suites/fmt.sh
    [ -z "$untidy" ]
    ;;
*) die -2 "fmt: unknown argument: $1 (try --help)" ;;
esac
