#!/bin/bash
# Makes the environments of the benchmark's peers, .venv-bench-NAME, from envs/bench-NAME.txt. One that cannot be made
# is left with failed.txt, which says why: its rows then tell the reason.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python="$root/.venv/bin/python"

make_environment() {
    local name=$1 venv="$root/.venv-bench-$1" lock="$root/envs/bench-$1.txt" wanted certificates=()
    wanted=$(sha256sum <"$lock")
    if [ -f "$venv/ready.txt" ] && [ "$(cat "$venv/ready.txt")" = "$wanted" ]; then
        return
    fi
    echo "make bench: making .venv-bench-$name"
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
        echo "make bench: .venv-bench-$name could not be made: $(cat "$venv/failed.txt")" >&2
    fi
}

for name in blocks sopa; do
    make_environment "$name"
done
