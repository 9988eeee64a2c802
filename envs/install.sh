#!/bin/bash
# install.sh FOLDER, from an unpacked bundle: checks every file, then sets up Isthmus in FOLDER without internet.
# The same Python version and instruction set are needed as on the machine that made the bundle.
set -euo pipefail

bundle=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

check() {
    (cd "$bundle" && sha256sum --check --quiet --strict MANIFEST) >&2 ||
        fail "the bundle is not as it was made (the lines above); copy it again"
    local listed there
    listed=$(wc -l <"$bundle/MANIFEST")
    there=$(find "$bundle" -type f ! -path "$bundle/MANIFEST" | wc -l)
    [ "$listed" = "$there" ] || fail "the bundle has $there files instead of $listed; unpack it again into an empty folder"
}

main() {
    [ $# = 1 ] || fail "say where to: install.sh FOLDER, or install.sh --check"
    check
    if [ "$1" = --check ]; then
        echo "fine: $(wc -l <"$bundle/MANIFEST") files as they were made"
        return
    fi
    mkdir -p "$1/.cache/isthmus"
    tar -C "$1" -xf "$bundle/project.tar"
    cp -R "$bundle/data" "$1/.cache/isthmus/"
    export PIP_NO_INDEX=1 PIP_FIND_LINKS="$bundle/wheels" UV_OFFLINE=1 UV_FIND_LINKS="$bundle/wheels"
    make -C "$1" setup
    echo "Isthmus: $1/.venv/bin/isthmus"
}

main "$@"
