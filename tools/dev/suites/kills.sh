# The runtime killed two hundred times while twenty services print, the keeper, and both: nothing is
# lost, doubled or restarted.
source tools/dev/compile.sh
compile release muster >/dev/null || { echo '0 passed, 1 failed' && exit; }
timeout 600 python3 tests/orchestrator/kills.py build/muster || [ $? != 124 ] || echo '0 passed, 1 failed'
