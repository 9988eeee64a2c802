#!/bin/bash
# Makes .venv from the hash lock: packages (byte-compiled), the command `isthmus`, compiled kernels.
# Does nothing when that is done already. Safe to interrupt: a half-made environment is made anew.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv="$root/.venv"
lock="$root/envs/requirements.txt"
unfinished="$venv/.unfinished"
stamp="$venv/.ready"
PATH=${PATH//"$venv/bin:"/}

wanted() {
    { echo "$root"; cat "$lock" "$root/envs/installer.txt" "${BASH_SOURCE[0]}"; } | sha256sum
}

fail() {
    echo "make setup: $1" >&2
    exit 1
}

find_python() {
    local name
    for name in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    fail "Python 3.11 or newer is needed and was not found; install it, or name it: make setup PYTHON=/path/to/python3"
}

make_venv() {
    local python
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv"
    rm -rf "$venv.old"
    if [ -e "$venv" ]; then
        mv "$venv" "$venv.old"
        rm -rf "$venv.old"
    fi
    mkdir "$venv"
    touch "$unfinished"
    "$python" -m venv "$venv"
}

install_packages() {
    touch "$unfinished"
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip >/dev/null
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps --require-hashes \
        -r "$root/envs/installer.txt"
    # where the system knows certificates, they count: networks of institutions may have their own
    local certificates=()
    if "$venv/bin/python" -c 'import ssl, sys; sys.exit(not ssl.create_default_context().get_ca_certs())'; then
        certificates=(--system-certs)
    fi
    # Home folders of clusters are small and count files: the cache of packages is beside what is made of it, and goes.
    # Who wants to keep one says where: UV_CACHE_DIR.
    UV_CACHE_DIR=${UV_CACHE_DIR:-$venv/.packages} "$venv/bin/uv" pip install --quiet "${certificates[@]}" --python "$venv/bin/python" --require-hashes --compile-bytecode -r "$lock"
    rm -rf "$venv/.packages"
}

# Isthmus itself is not installed: its folder is put on the path, and a launcher calls it.
make_launcher() {
    local packages
    packages=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo "$root/workflow" >"$packages/isthmus.pth"
    # -P: the working directory must not hide a package of the environment
    printf '#!/bin/sh\nexec "%s/bin/python" -P -m isthmus "$@"\n' "$venv" >"$venv/bin/isthmus"
    chmod +x "$venv/bin/isthmus"
}

main() {
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(wanted)" ]; then
        return
    fi
    rm -f "$stamp"
    if [ -e "$unfinished" ] || ! "$venv/bin/python" -c 'import sys' 2>/dev/null; then
        echo "make setup: making .venv"
        make_venv
    fi
    echo "make setup: installing packages"
    install_packages
    make_launcher
    rm -f "$unfinished"
    echo "make setup: compiling kernels"
    "$venv/bin/python" -P -m isthmus.launch.warm
    wanted >"$stamp.new"
    mv "$stamp.new" "$stamp"
}

main
