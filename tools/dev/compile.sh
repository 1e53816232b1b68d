# The kinds of build and the folder each lives in. Sourced.

build_folder() {
    case $1 in
    release) echo build ;;
    *) echo "build-$1" ;;
    esac
}

# compile KIND [TARGET…]: configures the folder of that kind if it is new and builds it.
compile() {
    local kind=$1 folder options=(--buildtype=debugoptimized) compiler=()
    shift
    folder=$(build_folder "$kind")
    case $kind in
    release) options=(--buildtype=release) ;;
    asan) options+=(-Db_sanitize=address,undefined -Db_lundef=false) ;;
    tsan) options+=(-Db_sanitize=thread -Db_lundef=false) ;;
    fuzz) options+=(-Db_sanitize=address,undefined -Db_lundef=false -Dfuzz=true) && compiler=(CC=clang CXX=clang++) ;;
    esac
    if [ ! -f "$folder/build.ninja" ]; then
        say "configuring $folder"
        rm -rf "$folder"
        env "${compiler[@]}" meson setup "${options[@]}" "$folder" >"$folder.log" 2>&1 ||
            { cat "$folder.log" && die "meson could not configure $folder"; }
        mv "$folder.log" "$folder/configure.log"
    fi
    say "building $folder"
    ninja -C "$folder" -j "$JOBS" "$@"
}
