#!/bin/bash
# Makes .venv-kb from envs/kb.txt: kb-python with kallisto and bustools. Does nothing when that is done already.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python="$root/.venv/bin/python"
venv="$root/.venv-kb"
lock="$root/envs/kb.txt"
wanted=$({ echo "$root"; cat "$lock" "${BASH_SOURCE[0]}"; } | sha256sum)

if [ -f "$venv/ready.txt" ] && [ "$(cat "$venv/ready.txt")" = "$wanted" ]; then
    exit
fi
echo "make kb: making .venv-kb"
rm -rf "$venv"
certificates=()
if "$python" -c 'import ssl, sys; sys.exit(not ssl.create_default_context().get_ca_certs())'; then
    certificates=(--system-certs)
fi
"$python" -m venv "$venv"
UV_CACHE_DIR=${UV_CACHE_DIR:-$venv/.packages} "$root/.venv/bin/uv" pip install --quiet "${certificates[@]}" \
    --python "$venv/bin/python" --require-hashes --compile-bytecode -r "$lock"
rm -rf "$venv/.packages"
# the binaries of other systems
for system in darwin windows; do
    rm -rf "$venv"/lib/python*/site-packages/kb_python/bins/"$system"
done
echo "$wanted" >"$venv/ready.txt"
