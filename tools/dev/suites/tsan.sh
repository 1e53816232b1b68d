# Unit tests with ThreadSanitizer; with arguments, only those tests.
source tools/dev/compile.sh
source tools/dev/unit.sh
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
unit_tests tsan "$@"
