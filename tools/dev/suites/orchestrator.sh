# The orchestrator with real programs under it (node, nginx, redis, PostgreSQL, Python), and with
# programs that misbehave; and what remains when the runtime, the keeper or both are killed.
source tools/dev/compile.sh
need orchestrator
compile release muster >/dev/null || { echo '0 passed, 1 failed' && exit; }
timeout 600 python3 tests/orchestrator/orchestrator.py build/muster || [ $? != 124 ] || echo '0 passed, 1 failed'
