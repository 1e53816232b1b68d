# Takes single packages of Debian 13 where Debian 12's are too old, without touching the system.
# Sourced.

# debian13_unpack FOLDER PACKAGE…: unpacks them into the folder. They come from the mirror that apt
# is set up with.
debian13_unpack() {
    local folder=$1 apt=$PWD/.cache/apt mirror package
    shift
    say "fetching $* of Debian 13"
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' |
        grep -v security | sort -u | sed -n 1p)
    [ -n "$mirror" ] || die "apt knows no Debian mirror: run apt-get update"
    rm -rf "$folder" "$folder.new" "$apt" && mkdir -p "$folder.new" "$apt/lists/partial" "$apt/archives/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$apt/sources.list"
    (
        cd "$apt"
        options=(-qq -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
            -o Dir::State="$apt" -o Dir::State::Lists="$apt/lists" -o Dir::State::Status=/dev/null
            -o Dir::Cache="$apt" -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none)
        apt-get "${options[@]}" update && apt-get "${options[@]}" download "$@"
    ) || die "could not fetch $* of Debian 13 from apt's mirror"
    for package in "$apt"/*.deb; do dpkg -x "$package" "$folder.new"; done
    rm -rf "$apt" && mv "$folder.new" "$folder"
}
