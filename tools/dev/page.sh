# The page (dashboard/), which is built before the program that it is embedded in. Sourced.

PAGE_NODE=20.19 # what Vite needs at least; an older machine gets the one below, from npm
PAGE_NODE_INSTEAD=22.22.0

# page_node: sets page_node_bin to the folder of a Node that is new enough.
page_node() {
    local version
    version=$(node --version 2>/dev/null | tr -d v) || version=0
    if [ "$(printf '%s\n%s\n' "$PAGE_NODE" "$version" | sort -V | head -n 1)" = "$PAGE_NODE" ]; then
        page_node_bin=$(dirname "$(command -v node)")
        return
    fi
    local machine folder=dashboard/node_modules/.node
    case $(uname -m) in
    x86_64) machine=x64 ;;
    aarch64) machine=arm64 ;;
    *) die "the page needs Node $PAGE_NODE or newer, and there is none for $(uname -m) on npm: install it by hand" ;;
    esac
    if [ ! -x "$folder/node_modules/node-linux-$machine/bin/node" ]; then
        say "installing Node $PAGE_NODE_INSTEAD for the page"
        npm install --prefix "$folder" --no-save --loglevel=error "node-linux-$machine@$PAGE_NODE_INSTEAD" >/dev/null ||
            die "npm could not install node-linux-$machine"
    fi
    page_node_bin=$PWD/$folder/node_modules/node-linux-$machine/bin
}

# page_need: installs what dashboard/package-lock.json names, unless that is what lies there.
page_need() {
    local installed=dashboard/node_modules/.installed
    page_node
    if ! cmp -s dashboard/package-lock.json "$installed"; then
        say "installing dashboard/node_modules"
        # By that Node: npm leaves out, without a word, what the Node that runs it is too old for.
        PATH=$page_node_bin:$PATH npm install --prefix dashboard --no-save --no-progress --loglevel=error ||
            die "npm could not install dashboard/package-lock.json: look at the network, or npm config get registry"
        cp dashboard/package-lock.json "$installed"
    fi
}

# page_sum: names the state of all that the page is made from.
page_sum() {
    { sources dashboard 'proto/*.proto' | sort | tr '\n' '\0' | xargs -0 sha256sum; } | sha256sum
}

# page_build: builds dashboard/dist, unless it is that of these sources. MUSTER_PAGE names an
# archive of a built page (./dev page archives one), for a machine without Node.
page_build() {
    local stamp=build/page.sum sum
    mkdir -p build
    if [ -n "${MUSTER_PAGE:-}" ]; then
        [ "$MUSTER_PAGE" = "$(cat "$stamp" 2>/dev/null)" ] && [ -f dashboard/dist/index.html ] && return
        rm -rf dashboard/dist && mkdir -p dashboard/dist
        tar -xzf "$MUSTER_PAGE" -C dashboard/dist || die "not an archive of a page: $MUSTER_PAGE"
        echo "$MUSTER_PAGE" >"$stamp"
        return
    fi
    sum=$(page_sum)
    [ "$sum" != "$(cat "$stamp" 2>/dev/null)" ] || [ ! -f dashboard/dist/index.html ] || return 0
    page_need
    say "building the page"
    (cd dashboard && PATH=$page_node_bin:$PATH && node tools/generate.mjs && node_modules/.bin/tsc --noEmit &&
        node_modules/.bin/vite build --logLevel warn) || die "the page does not build"
    echo "$sum" >"$stamp"
}
