# Tools written in Go, kept in .cache/bin. Sourced.
source tools/dev/debian13.sh

# The tools want Go 1.24; a `go` in PATH that is older (Debian 12's) gives way to Debian 13's.
if [ "$(printf '%s\n' go1.24 "$(go env GOVERSION)" | sort -V | sed -n 1p)" != go1.24 ]; then
    [ -d .cache/debian13-go ] || debian13_unpack .cache/debian13-go golang-1.24-go golang-1.24-src
    export GOROOT=$PWD/.cache/debian13-go/usr/lib/go-1.24
    PATH=$GOROOT/bin:$PATH
fi

# go_tool COMMAND PACKAGE@VERSION: builds it if it is not there; prints its path.
go_tool() {
    local bin=$PWD/.cache/bin
    if [ ! -x "$bin/$1" ]; then
        mkdir -p "$bin"
        GOBIN=$bin GOFLAGS=-mod=mod go install "$2" >&2 || die "go could not install $2"
    fi
    echo "$bin/$1"
}
