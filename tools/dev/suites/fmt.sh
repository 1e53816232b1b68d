# One case: every C source is laid out by .clang-format, every proto of ours by buf, what belongs to
# the page and the TypeScript client by Prettier.
source tools/dev/clang_format.sh
source tools/dev/npm.sh
source tools/dev/prettier.sh
npm_need
untidy=$({
    sources '*.c' '*.h' '*.cc' | tr '\n' '\0' | xargs -0 -n 20 -P "$JOBS" "$CLANG_FORMAT" --dry-run -Werror 2>&1 |
        sed -n 's/^\([^: ]*\):[0-9].*/\1/p'
    tests/node_modules/.bin/buf format proto --exclude-path proto/google --diff |
        sed -n 's/^+++ \([^\t]*\).*/\1/p'
    prettier_sources | tr '\n' '\0' | xargs -0 "$PRETTIER" --list-different || true
} | sort -u)
if [ -z "$untidy" ]; then
    echo '1 passed, 0 failed'
else
    echo "$untidy" && echo 'to mend: ./dev fmt'
    echo '0 passed, 1 failed'
fi
