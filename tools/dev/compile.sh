# The kinds of build and the folder each lives in. Sourced.
source tools/dev/page.sh

build_folder() {
    case $1 in
    release) echo build ;;
    *) echo "build-$1" ;;
    esac
}

# configure KIND: sets the folder of that kind up, if it is new.
configure() {
    local kind=$1 folder options=(--buildtype=debugoptimized) compiler=()
    folder=$(build_folder "$kind")
    [ ! -f "$folder/build.ninja" ] || return 0
    case $kind in
    release) options=(--buildtype=release) ;;
    bench) options=(--buildtype=release -Dbench=true) ;;
    asan) options+=(-Db_sanitize=address,undefined -Db_lundef=false) ;;
    tsan) options+=(-Db_sanitize=thread -Db_lundef=false) ;;
    fuzz)
        options+=(-Db_sanitize=address,undefined -Db_lundef=false -Dfuzz=true)
        compiler=(CC=clang CXX=clang++)
        ;;
    esac
    say "configuring $folder"
    rm -rf "$folder"
    env "${compiler[@]}" meson setup "${options[@]}" "$folder" >"$folder.log" 2>&1 ||
        { cat "$folder.log" && die "meson could not configure $folder"; }
    mv "$folder.log" "$folder/configure.log"
}

# compile KIND [TARGET…]: configures the folder if it is new and builds it, or those targets.
compile() {
    local kind=$1 folder
    shift
    folder=$(build_folder "$kind")
    page_build
    configure "$kind"
    say "building $folder"
    ninja -C "$folder" -j "$JOBS" "$@"
}
