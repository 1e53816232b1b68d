# Attacks on a server of ours, each a case: floods, bombs, slow and greedy clients, crowds, forged
# hosts, origins and tokens. Each must leave the server small and serving others.
source tools/dev/compile.sh
source tools/dev/python.sh
python_need
compile release tests/rpc/echo_server muster >/dev/null || { echo '0 passed, 1 failed' && exit; }
timeout 120 "$python" tests/attack/attack.py build/tests/rpc/echo_server build/muster ||
    [ $? != 124 ] || echo '0 passed, 1 failed'
