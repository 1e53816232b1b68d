# One case: clang-tidy finds nothing in our C sources. A file that passed is not read again until
# it, a header, or the rules change.
source tools/dev/compile.sh
compile release
# What is built only on demand includes headers that are made then.
mapfile -t made < <(ninja -C build -t targets all | sed -n 's/^\([^ ]*\.pb\.h\): .*/\1/p')
compile release "${made[@]}" >/dev/null

seen=build/tidy
mkdir -p "$seen"
rules=$({ cat .clang-tidy && sources '*.h' '*.proto' | tr '\n' '\0' | xargs -0 cat; } | sha256sum)

# The files that this build compiles and that have changed since they passed.
mapfile -t files < <(comm -12 <(sources '*.c' | sort) \
    <(python3 -c 'import json, os
for entry in json.load(open("build/compile_commands.json")):
    print(os.path.relpath(os.path.join(entry["directory"], entry["file"])))' | sort -u))
stale=()
for file in "${files[@]}"; do
    stamp=$seen/${file//\//+}
    [ "$(cat "$stamp" 2>/dev/null)" = "$rules $(sha256sum "$file")" ] || stale+=("$file")
done
echo "${#files[@]} files, ${#stale[@]} to look at"

tidy_one() {
    if output=$(clang-tidy --quiet --warnings-as-errors='*' -p build "$1" 2>&1); then
        echo "$2 $(sha256sum "$1")" >"$3/${1//\//+}"
    else
        echo "$output" | grep -v 'warnings\? generated\|warnings\? treated as error'
        echo "not tidy: $1"
    fi
}
export -f tidy_one
[ ${#stale[@]} = 0 ] || printf '%s\0' "${stale[@]}" |
    xargs -0 -P "$JOBS" -I{} bash -c 'tidy_one "$@"' tidy {} "$rules" "$seen" | tee "$seen.log"
if [ ${#stale[@]} != 0 ] && grep -q '^not tidy: ' "$seen.log"; then
    echo '0 passed, 1 failed'
else
    echo '1 passed, 0 failed'
fi
