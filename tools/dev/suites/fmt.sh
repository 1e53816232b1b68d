# One case: every source file is laid out by .clang-format.
untidy=$(sources '*.c' '*.h' '*.cc' | tr '\n' '\0' | xargs -0 -n 20 -P "$JOBS" clang-format --dry-run -Werror 2>&1 |
    sed -n 's/^\([^: ]*\):[0-9].*/\1/p' | sort -u)
if [ -z "$untidy" ]; then
    echo '1 passed, 0 failed'
else
    echo "$untidy" && echo 'to mend: ./dev fmt'
    echo '0 passed, 1 failed'
fi
