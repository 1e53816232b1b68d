# What the parts of ./dev share. Sourced, with the repository's root as current folder.

JOBS=${JOBS:-$(nproc)}

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ -z "${CI:-}" ]; then
    BOLD=$'\e[1m' GREEN=$'\e[32m' RED=$'\e[31m' DIM=$'\e[2m' PLAIN=$'\e[0m'
else
    BOLD='' GREEN='' RED='' DIM='' PLAIN=''
fi

# A step of work begins.
say() { echo "$BOLD▸ $*$PLAIN"; }

# Ends the command: what was wrong and what to do. Status 1, or as given first: die -2 "…" (usage).
die() {
    local status=1
    case $1 in -[0-9]) status=${1#-} && shift ;; esac
    echo "${RED}dev: $*$PLAIN" >&2
    exit "$status"
}

is_one_of() {
    local word=$1 other
    shift
    for other; do [ "$word" != "$other" ] || return 0; done
    return 1
}

# The comment at a file's head: the manual page of its command.
manual() { sed -n '/^#!/d; /^#/!q; s/^# \{0,1\}//p' "$1"; }

# Installs what the named groups of packages lack (see setup.sh).
need() { bash tools/dev/setup.sh --quiet "$@"; }

# Ours, as git sees it: files that match the patterns, tracked or new, existing.
sources() {
    git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
        [ ! -f "$file" ] || echo "$file"
    done
}

# A span of time such as 90, 90s, 10m or 1h, in seconds; fails on anything else.
seconds_of() {
    [[ $1 =~ ^([0-9]+)([smh]?)$ ]] || return 1
    case ${BASH_REMATCH[2]} in
    m) echo $((BASH_REMATCH[1] * 60)) ;;
    h) echo $((BASH_REMATCH[1] * 3600)) ;;
    *) echo "${BASH_REMATCH[1]}" ;;
    esac
}
