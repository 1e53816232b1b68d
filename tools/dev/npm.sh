# What tests/ takes from npm. Sourced.

# npm_need: installs tests/package-lock.json into tests/node_modules unless that is what lies there.
npm_need() {
    local installed=tests/node_modules/.installed
    if ! cmp -s tests/package-lock.json "$installed"; then
        say "installing tests/node_modules"
        npm install --prefix tests --no-save --no-progress --loglevel=error ||
            die "npm could not install tests/package-lock.json: look at the network, or npm config get registry"
        cp tests/package-lock.json "$installed"
    fi
}
