# muster check: what it prints, its exit codes, and its JSON schema by another's validator.
source tools/dev/compile.sh
source tools/dev/python.sh
python_need
compile release muster >/dev/null || { echo '0 passed, 1 failed' && exit; }
"$python" tests/check/check.py build/muster examples
