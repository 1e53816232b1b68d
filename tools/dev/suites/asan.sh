# Unit tests with AddressSanitizer and UndefinedBehaviorSanitizer; with arguments, only those.
source tools/dev/compile.sh
source tools/dev/unit.sh
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
unit_tests asan "$@"
