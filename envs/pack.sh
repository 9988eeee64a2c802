#!/bin/bash
# envs/pack.sh FILE: Isthmus with its environment as one file, for file systems that dislike many small ones.
# FILE ends in .tar, .tar.gz, .tar.zst or .squashfs. What is packed works from wherever it is unpacked or mounted, on
# machines with the same Python at the same place and the same instruction set; results, data and caches stay here.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
name=isthmus

fail() {
    echo "envs/pack.sh: $1" >&2
    exit 1
}

# A script of the environment starts the Python beside it, wherever that is. Python itself reads the first lines as a text.
relocatable_head() {
    printf '%s\n' '#!/bin/sh' "'''exec' \"\$(dirname \"\$(readlink -f \"\$0\")\")/python\" \"\$0\" \"\$@\"" "' '''"
}

# Links instead of copies where the file system has them; files that change are written anew, never in place.
copy() {
    cp --archive --link "$1" "$2" 2>/dev/null || cp --archive "$1" "$2"
}

relocate_scripts() {
    local venv=$1 old=$2 script
    for script in "$venv"/bin/*; do
        [ -f "$script" ] && [ ! -L "$script" ] || continue
        head -c 2 "$script" | grep -q '#!' || continue
        head -n 1 "$script" | grep -qF "#!$old/bin/python" || continue
        { relocatable_head; tail -n +2 "$script"; } >"$script.new"
        chmod --reference="$script" "$script.new"
        mv "$script.new" "$script"
    done
    rm -f "$venv/bin/isthmus"
    printf '%s\n' '#!/bin/sh' 'exec "$(dirname "$(readlink -f "$0")")/python" -P -m isthmus "$@"' >"$venv/bin/isthmus"
    chmod +x "$venv/bin/isthmus"
}

relocate_packages() {
    local venv=$1 packages
    packages=$(find "$venv/lib" -maxdepth 2 -type d -name site-packages | head -n 1)
    [ -n "$packages" ] || fail "there are no packages in $venv"
    rm -f "$packages/isthmus.pth"
    echo "../../../../workflow" >"$packages/isthmus.pth"
    rm -f "$venv/.ready"
}

stage() {
    local target=$1 venv part
    venv=$(readlink -f "$root/.venv") || true
    [ -x "$venv/bin/python" ] || fail "there is no environment; make it with: make setup"
    for part in Makefile pyproject.toml LICENSE config envs profiles resources workflow; do
        [ ! -e "$root/$part" ] || copy "$root/$part" "$target/$part"
    done
    copy "$venv" "$target/.venv"
    relocate_scripts "$target/.venv" "$(sed -n 's/^VIRTUAL_ENV=//p' "$venv/bin/activate" | tr -d "\"'" | head -n 1)"
    relocate_packages "$target/.venv"
}

write() {
    local from=$1 file=$2
    case $file in
    # posix keeps fractions of seconds, by which compiled code knows its source
    *.tar) tar --format=posix --owner=0 --group=0 -C "$from" -cf "$file" "$name" ;;
    *.tar.gz) tar --format=posix --owner=0 --group=0 -C "$from" -czf "$file" "$name" ;;
    *.tar.zst) tar --format=posix --owner=0 --group=0 --zstd -C "$from" -cf "$file" "$name" ;;
    *.squashfs)
        command -v mksquashfs >/dev/null || fail "mksquashfs is not there; install squashfs-tools, or make a .tar"
        mksquashfs "$from/$name" "$file" -noappend -all-root -quiet
        ;;
    esac
}

main() {
    [ $# = 1 ] || fail "give the file to make: envs/pack.sh isthmus.tar"
    case $1 in
    *.tar | *.tar.gz | *.tar.zst | *.squashfs) ;;
    *) fail "'$1' does not end in .tar, .tar.gz, .tar.zst or .squashfs" ;;
    esac
    local file
    file=$(realpath -m "$1")
    mkdir -p "$(dirname "$file")"
    aside=$(mktemp -d -p "$(dirname "$file")")
    trap 'rm -rf "$aside"' EXIT
    mkdir "$aside/$name"
    stage "$aside/$name"
    # the extension stays, it names the form
    write "$aside" "$aside/made.${file##*/}"
    mv "$aside/made.${file##*/}" "$file"
    echo "$file: $(du -h "$file" | cut -f 1), made for $(uname -m) with $(readlink -f "$root/.venv/bin/python")"
}

main "$@"
