# How TypeScript, JavaScript and styles are laid out: by Prettier and .prettierrc.json. Sourced, after npm.sh.

PRETTIER=tests/node_modules/.bin/prettier

# prettier_sources: what is laid out by it.
prettier_sources() {
    local folder
    for folder in dashboard tests/dashboard bench/dashboard sdk/ts examples; do
        sources "$folder/*.ts" "$folder/*.tsx" "$folder/*.mjs" "$folder/*.css" "$folder/*.html"
    done
}
