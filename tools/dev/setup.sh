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

# What each group needs. An entry is a Debian package; COMMAND:PACKAGE, content with any such
# command; or PACKAGE|PACKAGE, whichever this release has.
packages_of() {
    case $1 in
    build) echo gcc g++ libc6-dev meson ninja-build pkg-config git:git python3:python3 node:nodejs npm:npm \
        protoc:protobuf-compiler libprotobuf-dev libprotoc-dev libcmocka-dev libuv1-dev libnghttp2-dev \
        'libllhttp-dev|node-llhttp' libssl-dev libsqlite3-dev zlib1g-dev libbrotli-dev libzstd-dev libsnappy-dev \
        libfyaml-dev libre2-dev libminizip-dev ;;
    test) echo clang clang-format clang-tidy libclang-rt-dev llvm go:golang-go openssl:openssl python3-venv curl:curl chromium:chromium ;;
    pip) echo pip3:python3-pip ;;
    orchestrator) echo node:nodejs nginx:nginx-light redis-server:redis-server postgresql python3:python3 ss:iproute2 \
        setpriv:util-linux ;;
    bench) echo go:golang-go libprotobuf-dev protobuf-c-compiler libprotobuf-c-dev libabsl-dev \
        h2load:nghttp2-client nghttpd:nghttp2-server etcd:etcd-server libgrpc++-dev protobuf-compiler-grpc ;;
    *) return 1 ;;
    esac
}

is_installed() {
    [ "$(dpkg-query -Wf '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# lacking ENTRY…: those that are not satisfied, one a line.
lacking() {
    local entry
    for entry; do
        case $entry in
        *:*) command -v "${entry%%:*}" >/dev/null || echo "$entry" ;;
        *\|*) is_installed "${entry%|*}" || is_installed "${entry#*|}" || echo "$entry" ;;
        *) is_installed "$entry" || echo "$entry" ;;
        esac
    done
}

# The package that satisfies an entry on this release.
package_for() {
    case $1 in
    *:*) echo "${1#*:}" ;;
    *\|*) apt-cache show "${1%|*}" >/dev/null 2>&1 && echo "${1%|*}" || echo "${1#*|}" ;;
    *) echo "$1" ;;
    esac
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
    list=$(packages_of "$group") || die -2 "no such group: $group (build, test, bench, pip)"
    read -ra list <<<"$list"
    wanted+=("${list[@]}")
done

command -v dpkg-query >/dev/null || die "only Debian 12 and 13 are known here; install by hand: ${wanted[*]}"
mapfile -t missing < <(lacking "${wanted[@]}" | sort -u)
if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    apt update || die "apt-get update failed: look at the machine's network and /etc/apt"
    packages=()
    for entry in "${missing[@]}"; do packages+=("$(package_for "$entry")"); done
    apt install -y --no-install-recommends "${packages[@]}" >/dev/null ||
        die "apt-get could not install ${packages[*]}"
elif [ $quiet = no ]; then
    echo "nothing missing"
fi
