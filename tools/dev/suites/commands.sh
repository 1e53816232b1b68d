# The commands that people type, from muster init to muster down: real processes, real terminals.
source tools/dev/compile.sh
compile release muster >/dev/null || { echo '0 passed, 1 failed' && exit; }
timeout 300 python3 tests/commands/commands.py build/muster
