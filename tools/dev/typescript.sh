# The TypeScript client and the calculator that uses it. Sourced.
source tools/dev/page.sh

# typescript_install FOLDER: what its package-lock.json names, unless that is what lies there.
typescript_install() {
    local folder=$1 installed=$1/node_modules/.installed
    if ! cmp -s "$folder/package-lock.json" "$installed"; then
        say "installing $folder/node_modules"
        (cd "$folder" && npm ci --no-progress --loglevel=error) ||
            die "npm could not install $folder/package-lock.json: look at the network, or npm config get registry"
        cp "$folder/package-lock.json" "$installed"
    fi
}

# typescript_build FOLDER: its `npm run build`, unless nothing is newer than what was built.
typescript_build() {
    local folder=$1 built=$1/dist/.built
    if [ ! -f "$built" ] || [ -n "$(find "$folder/src" "$folder/package.json" proto examples/calculator/calculator.proto \
        -newer "$built" -not -path '*/gen/*' -type f -print -quit)" ]; then
        say "building $folder"
        npm --prefix "$folder" run --silent build || die "$folder does not build"
        touch "$built"
    fi
}

# typescript_need: builds both, with a Node that is new enough.
typescript_need() {
    local folder
    page_node
    export PATH=$page_node_bin:$PATH
    for folder in sdk/ts examples/calculator/ts; do
        typescript_install "$folder"
        typescript_build "$folder"
    done
}
