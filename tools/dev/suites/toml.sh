# toml-test: the TOML community's valid and invalid files.
source tools/dev/compile.sh
source tools/dev/go.sh

compile release src/doc/doc_testee >/dev/null || die "the testee does not build"
folder=$(go mod download -json github.com/toml-lang/toml-test@v1.6.0 | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
[ -d "$folder/tests" ] || die "toml-test could not be fetched"
python3 tests/toml/toml_test.py build/src/doc/doc_testee "$folder/tests"
