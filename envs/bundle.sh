#!/bin/bash
# envs/bundle.sh [FOLDER]: everything for a machine without internet as one tar in FOLDER (default: dist): the project,
# the wheels of its hash lock, demo data, a manifest of checksums, and install.sh, which checks it and sets up.
# The wheels are those for this machine's Python and instruction set.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
data_sets=${DATA-xenium_breast_small}

fail() {
    echo "envs/bundle.sh: $1" >&2
    exit 1
}

version() {
    sed -n 's/^version = "\(.*\)"$/\1/p' "$root/pyproject.toml" | head -n 1
}

add_project() {
    git -C "$root" rev-parse --is-inside-work-tree >/dev/null 2>&1 || fail "this is no clone: git tells what belongs to it"
    [ -z "$(git -C "$root" status --porcelain --untracked-files=no)" ] || echo "note: changes that are not committed stay out"
    git -C "$root" archive --format=tar --output="$1/project.tar" HEAD
}

add_wheels() {
    "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null
    # builder: what packages that are no wheels are made with
    for lock in installer builder requirements; do
        "$python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
            --dest "$1/wheels" -r "$root/envs/$lock.txt"
    done
}

add_data() {
    local name
    mkdir "$1/data"
    for name in $data_sets; do
        "$root/.venv/bin/isthmus" fetch "$name" --into "$1/data/$name"
    done
}

add_manifest() {
    (cd "$1" && find . -type f ! -name MANIFEST -print0 | LC_ALL=C sort -z | xargs -0 sha256sum >MANIFEST)
}

main() {
    local into name
    into=$(realpath -m "${1:-$root/dist}")
    name=isthmus-$(version)-$("$python" -c 'import sys, platform; print(f"py{sys.version_info[0]}{sys.version_info[1]}-{platform.machine()}")')
    mkdir -p "$into"
    aside=$(mktemp -d -p "$into")
    trap 'rm -rf "$aside"' EXIT
    mkdir "$aside/$name"
    add_project "$aside/$name"
    add_wheels "$aside/$name"
    add_data "$aside/$name"
    cp "$root/envs/install.sh" "$aside/$name/install.sh"
    add_manifest "$aside/$name"
    tar --owner=0 --group=0 -C "$aside" -cf "$aside/made.tar" "$name"
    mv "$aside/made.tar" "$into/$name.tar"
    (cd "$into" && sha256sum "$name.tar" >"$name.tar.sha256")
    echo "$into/$name.tar: $(du -h "$into/$name.tar" | cut -f 1)"
}

main "$@"
