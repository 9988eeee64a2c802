"""Millions of transcripts: what `transcripts.py` of this folder measures, as rows of the benchmark."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.rows import REPEATS

_SCRIPT = Path(__file__).with_name("transcripts.py")
_STAGES = ("read and bin", "assign and count", "join", "cells in input order, written")
_LINE = re.compile(r"^\s*([0-9.]+) CPU s\s+([0-9.]+) MB")


def count(scratch: Path, million: int, order: str) -> dict[str, Any]:
    """Read, assign and count transcripts with integer genes; in random order, also write each one's cell."""
    if not _SCRIPT.exists():
        raise FileNotFoundError(f"{_SCRIPT.name} is not in this checkout")
    command = [sys.executable, "-P", str(_SCRIPT), "--rows", str(million * 1_000_000), "--genes", "integer"]
    command += ["--order", "tiled" if order == "spatial" else "random", "--repeats", str(REPEATS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
    return read_stages(done.stdout, with_output=order != "spatial")


def read_stages(text: str, *, with_output: bool) -> dict[str, Any]:
    """CPU seconds of each stage from what the script says; their sum, with or without the output of all rows."""
    found = [match for match in map(_LINE.match, text.splitlines()) if match]
    if len(found) != len(_STAGES):
        raise ValueError(f"{len(found)} stages instead of {len(_STAGES)}")
    phases = {name: float(match[1]) for name, match in zip(_STAGES, found, strict=True)}
    counted = list(phases.values()) if with_output else list(phases.values())[:-1]
    return {
        "core_cpu_s": sum(counted),
        "phases": phases,
        "worker_mb": max(float(match[2]) for match in found),
    }
