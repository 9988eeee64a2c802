#!/bin/bash
# environment.sh NAME...: makes environments beside the project's own, .venv-NAME from envs/NAME.txt: of the benchmark's
# peers, of validators. One that cannot be made is left with failed.txt, which says why: rows and tests tell the reason.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python="$root/.venv/bin/python"

make_environment() {
    local name=$1 venv="$root/.venv-$1" lock="$root/envs/$1.txt" wanted certificates=()
    wanted=$(sha256sum <"$lock")
    if [ -f "$venv/ready.txt" ] && [ "$(cat "$venv/ready.txt")" = "$wanted" ]; then
        return
    fi
    echo "making .venv-$name"
    rm -rf "$venv"
    if "$python" -c 'import ssl, sys; sys.exit(not ssl.create_default_context().get_ca_certs())'; then
        certificates=(--system-certs)
    fi
    "$python" -m venv "$venv"
    if {
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
            -r "$root/envs/installer.txt" &&
            "$venv/bin/uv" pip install --quiet "${certificates[@]}" --python "$venv/bin/python" --require-hashes \
                --compile-bytecode -r "$lock"
    } 2>"$venv/errors.txt"; then
        echo "$wanted" >"$venv/ready.txt"
    else
        tail -n 1 "$venv/errors.txt" >"$venv/failed.txt"
        echo ".venv-$name could not be made: $(cat "$venv/failed.txt")" >&2
    fi
}

for name in "$@"; do
    make_environment "$name"
done
