# What tests/ takes from PyPI. Sourced.

# python_need: installs tests/requirements.txt into .cache/python unless that is what lies there;
# sets $python.
python_need() {
    local folder=$PWD/.cache/python
    python=$folder/bin/python
    if ! cmp -s tests/requirements.txt "$folder/.installed"; then
        say "installing tests/requirements.txt"
        rm -rf "$folder"
        python3 -m venv "$folder" && "$python" -m pip install -q --disable-pip-version-check -r tests/requirements.txt ||
            die "pip could not install tests/requirements.txt: look at the network, or pip config get global.index-url"
        cp tests/requirements.txt "$folder/.installed"
    fi
}
