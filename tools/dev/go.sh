# Tools written in Go, kept in .cache/bin. Sourced.

# go_tool COMMAND PACKAGE@VERSION: builds it if it is not there; prints its path.
go_tool() {
    local bin=$PWD/.cache/bin
    if [ ! -x "$bin/$1" ]; then
        command -v go >/dev/null || die "$1 is built by Go: install golang-go"
        mkdir -p "$bin"
        GOBIN=$bin GOFLAGS=-mod=mod go install "$2" >&2 || die "go could not install $2"
    fi
    echo "$bin/$1"
}
