"""Tables in and out of files; what is written appears whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anndata
import pandas as pd
from anndata import AnnData

from isthmus.errors import UserError


def read_table(path: Path) -> AnnData:
    """Read a table of cells (.h5ad) into memory."""
    if not path.is_file():
        raise UserError(where=str(path), found="no such table", do="run the steps before this one")
    try:
        return anndata.read_h5ad(path)
    except (OSError, KeyError, ValueError) as error:
        raise UserError(
            where=str(path), found=f"not a readable h5ad file ({error})", do="delete it and run again"
        ) from error


def write_table(table: AnnData, path: Path) -> None:
    """Write a table as .h5ad; a file of that name is replaced in one step."""
    _write_whole(path, lambda part: _write_h5ad(table, part))


def write_tsv(frame: pd.DataFrame, path: Path) -> None:
    """Write a data frame as tab-separated text with a header."""
    _write_whole(path, lambda part: frame.to_csv(part, sep="\t", index=False, lineterminator="\n"))


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write a mapping as indented JSON; numbers must be finite."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    _write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))


def _write_h5ad(table: AnnData, path: Path) -> None:
    with warnings.catch_warnings():
        # anndata announces each text column that it stores as a category; that is what we want.
        warnings.filterwarnings("ignore", message=".*storing .* as categorical.*")
        table.write_h5ad(path, compression="gzip")


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        write(part)
        # mkstemp makes files that only the owner can read; a result is as readable as any other new file.
        mask = os.umask(0)
        os.umask(mask)
        part.chmod(0o666 & ~mask)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
