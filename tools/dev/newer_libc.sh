# Starts programs that were built against a newer glibc than this machine has. Sourced.
source tools/dev/debian13.sh

# newer_libc_launcher PROGRAM: prints the words to put before PROGRAM so that it starts: none where
# the machine's own libraries do; else Debian 13's dynamic loader.
newer_libc_launcher() {
    local root=.cache/debian13-libc libraries
    ldd "$1" 2>&1 | grep 'not found' >/dev/null || return 0
    [ -d $root ] || debian13_unpack $root libc6 libstdc++6 libgcc-s1 >&2
    libraries=$PWD/$root/usr/lib/x86_64-linux-gnu
    echo "$libraries/ld-linux-x86-64.so.2 --library-path $libraries"
}
