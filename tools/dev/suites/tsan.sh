# Unit tests with ThreadSanitizer, but for those of schema/, which knows no threads; with arguments,
# only those tests.
source tools/dev/compile.sh
source tools/dev/unit.sh
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
if [ $# = 0 ]; then
    compile tsan
    mapfile -t tests < <(meson test -C build-tsan --no-rebuild --list | grep -v '^schema/')
    set -- "${tests[@]}"
fi
unit_tests tsan "$@"
