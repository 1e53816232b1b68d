# Starts programs that were built against a newer glibc than this machine has. Sourced.

# newer_libc_launcher PROGRAM: prints the words to put before PROGRAM so that it starts: none where
# the machine's own libraries do; else Debian 13's dynamic loader, whose packages are unpacked into
# .cache/ without touching the system. They come from the mirror that apt is set up with.
newer_libc_launcher() {
    local root=.cache/debian13 libraries
    ldd "$1" 2>&1 | grep 'not found' >/dev/null || return 0
    [ -e $root/usr/lib64/ld-linux-x86-64.so.2 ] || newer_libc_fetch $root >&2
    libraries=$PWD/$root/usr/lib/x86_64-linux-gnu
    echo "$libraries/ld-linux-x86-64.so.2 --library-path $libraries"
}

newer_libc_fetch() {
    local root=$1 apt=$PWD/.cache/apt mirror
    say "fetching the C and C++ libraries of Debian 13"
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' |
        grep -v security | head -n 1)
    [ -n "$mirror" ] || die "apt knows no Debian mirror: run apt-get update"
    rm -rf "$root" "$apt" && mkdir -p "$apt/lists/partial" "$apt/archives/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$apt/sources.list"
    (
        cd "$apt"
        options=(-qq -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
            -o Dir::State="$apt" -o Dir::State::Lists="$apt/lists" -o Dir::State::Status=/dev/null
            -o Dir::Cache="$apt" -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none)
        apt-get "${options[@]}" update && apt-get "${options[@]}" download libc6 libstdc++6 libgcc-s1
    ) || die "could not fetch libc6, libstdc++6 and libgcc-s1 of Debian 13 from apt's mirror"
    mkdir -p "$root.new"
    for package in "$apt"/*.deb; do dpkg -x "$package" "$root.new"; done
    rm -rf "$apt" && mv "$root.new" "$root"
}
