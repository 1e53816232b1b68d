# Unit tests in the optimised build; with arguments, only those tests.
source tools/dev/compile.sh
source tools/dev/unit.sh
unit_tests release "$@"
