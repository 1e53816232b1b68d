# setup [GROUP…]: installs what this machine lacks to build, test and measure.
#
#   build        compilers, meson and the libraries of the program     (default)
#   test         linters, sanitizers, fuzzers and foreign clients      (default)
#   bench        the peers that `./dev bench` measures against
#
# Debian 12 and 13. Each command asks for its own group when it starts, so this is only a way to
# have it over with. Nothing is done, and no network used, when all is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tools/dev/lib.sh

# What each group needs: Debian packages; COMMAND:PACKAGE is content with any such command.
packages_of() {
    case $1 in
    build) echo gcc g++ libc6-dev meson ninja-build pkg-config git:git python3:python3 \
        protoc:protobuf-compiler libprotobuf-dev libcmocka-dev ;;
    test) echo clang clang-format clang-tidy llvm node:nodejs npm:npm ;;
    bench) echo libprotobuf-dev protobuf-c-compiler libprotobuf-c-dev libabsl-dev ;;
    *) return 1 ;;
    esac
}

lacking() {
    local entry
    for entry; do
        case $entry in
        *:*) command -v "${entry%%:*}" >/dev/null || echo "${entry#*:}" ;;
        *) dpkg-query -Wf '${db:Status-Status}' "$entry" 2>/dev/null | grep -x installed >/dev/null || echo "$entry" ;;
        esac
    done
}

# apt-get as root, asking nothing.
apt() {
    local sudo=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "to install packages, run this as root: apt-get $*"
        sudo=(sudo)
    fi
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" </dev/null
}

quiet=no
[ "${1:-}" != --quiet ] || { quiet=yes && shift; }
[ $# -gt 0 ] || set -- build test
wanted=()
for group; do
    list=$(packages_of "$group") || die -2 "no such group: $group (build, test, bench)"
    read -ra list <<<"$list"
    wanted+=("${list[@]}")
done

command -v dpkg-query >/dev/null || die "only Debian 12 and 13 are known here; install by hand: ${wanted[*]}"
mapfile -t missing < <(lacking "${wanted[@]}" | sort -u)
if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    apt update || die "apt-get update failed: look at the machine's network and /etc/apt"
    apt install -y --no-install-recommends "${missing[@]}" >/dev/null ||
        die "apt-get could not install ${missing[*]}"
elif [ $quiet = no ]; then
    echo "nothing missing"
fi
