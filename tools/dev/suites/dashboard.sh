# The page: its own units, then real Chromium against the real program that runs the calculator.
source tools/dev/compile.sh
source tools/dev/npm.sh
source tools/dev/typescript.sh
npm_need
typescript_need
compile release muster >/dev/null || { echo '0 passed, 1 failed' && exit; }
passed=0 failed=0
add() {
    local label=$1 good bad
    shift
    "$@" | tee build/dashboard.log || true
    read -r good _ bad _ <<<"$(grep -E '^[0-9]+ passed, [0-9]+ failed$' build/dashboard.log | tail -n 1)"
    echo "$label: ${good:=0} passed, ${bad:=1} failed"
    passed=$((passed + good)) failed=$((failed + bad))
}
units() {
    (cd dashboard && PATH=$page_node_bin:$PATH node_modules/.bin/vitest run --reporter=json --outputFile=../build/vitest.json) >/dev/null || true
    python3 -c 'import json; r = json.load(open("build/vitest.json"))
print(r["numPassedTests"], "passed,", r["numFailedTests"], "failed")'
}
page_need
add 'units of the page' units
SHOTS=build add 'the page in Chromium' timeout 400 node tests/dashboard/dashboard.mjs build/muster examples/calculator
echo "$passed passed, $failed failed"
