"""The environment that jobs get: without the leavings of a login."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

# What software needs in order to start; everything else of the login stays behind.
_KEPT = (
    *("HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ"),
    *("PATH", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SLURM_CONF", "NUMBA_CACHE_DIR"),
)
_OURS = ("ISTHMUS_", "SNAKEMAKE_")
_NUMERICS = ("OPENBLAS_",)
"""Which kernels of linear algebra are used: with others, embeddings differ in their last digits."""
_WORKFLOW = Path(__file__).resolve().parents[2]


def clean_environment(environment: Mapping[str, str], *, also: Iterable[str] = ()) -> dict[str, str]:
    """The part of an environment that jobs get: what software needs to start, our own variables, and those in `also`.

    Python finds this workflow's package, and nothing that a user has installed for himself.
    """
    names = {*_KEPT, *also}
    kept = {
        name: value
        for name, value in environment.items()
        if name in names or name.startswith((*_OURS, *_NUMERICS))
    }
    search = [str(_WORKFLOW)] + [
        part for part in kept.get("PYTHONPATH", "").split(os.pathsep) if part and part != str(_WORKFLOW)
    ]
    return {**kept, "PYTHONPATH": os.pathsep.join(search), "PYTHONNOUSERSITE": "1"}


def split_names(text: str) -> list[str]:
    """Names of variables from a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]
