# The one clang-format that says how sources are laid out, as $CLANG_FORMAT: Debian 12's, since its
# versions differ in details. Where the machine has another, it comes from PyPI. Sourced.
version=14.0.6
CLANG_FORMAT=clang-format
if [[ "$(clang-format --version)" != *"version ${version%%.*}."* ]]; then
    CLANG_FORMAT=$PWD/.cache/clang-format/clang_format/data/bin/clang-format
    if [ ! -x "$CLANG_FORMAT" ]; then
        need pip
        say "installing clang-format $version"
        python3 -m pip install --quiet --target .cache/clang-format "clang-format==$version" ||
            die "pip could not install clang-format $version"
    fi
fi
