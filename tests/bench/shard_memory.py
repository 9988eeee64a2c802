"""Memory of a worker that writes shards of several sizes: no run of an image that is small enough to calibrate with has
large ones. `probe(rule, edge_px)` measures in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure import ROOT
from isthmus.blocks.grid import Grid, Region, Triple
from isthmus.image.ome_zarr import Level, create_level
from isthmus.image.pyramid import HalvingJob, halve_shard
from isthmus.packs.memory import keep_freed_memory
from isthmus.steps.import_image import _import_shard, _ImportJob

EDGES_PX = (1024, 2048, 4096)
RULES = {"import_image": "shard_mpix", "build_pyramid": "halved_mpix"}
"""Rules, and the size that their memory goes by."""
_KB_PER_MB = 1024


def probe(rule: str, edge_px: int) -> float:
    """Largest resident memory in MB."""
    command = [sys.executable, "-P", "-m", "bench.shard_memory", rule, str(edge_px)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'workflow'}{os.pathsep}{ROOT / 'tests'}"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(json.loads(done.stdout))


@dataclass(frozen=True)
class _Stored:
    """An array as an image part."""

    path: Path

    def open(self) -> _Stored:
        return self

    def read(self, channel: int, window: tuple[slice, slice, slice]) -> Any:
        region = Region(*((tuple(getattr(part, end) for part in window)) for end in ("start", "stop")))
        return Level.open(self.path, is_volume=False, has_channels=True).read(region, channel)


def _measure(rule: str, edge: int, folder: Path) -> float:
    """Two shards a side of noise, written by a child, then read by the rule's own function."""
    keep_freed_memory()
    shape: Triple = (1, 2 * edge, 2 * edge)
    grid = Grid(shape, (1, edge, edge))
    _make(folder / "from", shape, edge)
    child = os.fork()
    if child == 0:
        level = Level.open(folder / "from", is_volume=False, has_channels=True, mode="r+")
        for index in range(grid.n_blocks):
            noise = np.random.default_rng(index).integers(0, 4000, (1, edge, edge), dtype=np.uint16)
            level.write(grid.block(index).write, noise)
        os._exit(0)
    os.waitpid(child, 0)
    if rule == "import_image":
        _make(folder / "to", shape, edge)
        source, window = _Stored(folder / "from"), Region((0, 0, 0), shape)
        job = _ImportJob(source, window, folder / "to", grid, "probe", values=None)  # type: ignore[arg-type]
        for index in range(2):
            _import_shard(job, (0, index))
    else:
        half: Triple = (1, edge, edge)
        _make(folder / "to", half, edge)
        halve_shard(HalvingJob(folder / "from", folder / "to", shape, Grid(half, half), 1, "mean"), (0, 0))
    return _most_mb()


def _most_mb() -> float:
    """Largest resident memory of this program; what getrusage says may still be that of the one that started it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    line = next(line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) / _KB_PER_MB


def _make(path: Path, shape: Triple, edge: int) -> None:
    shard: Triple = (1, edge, edge)
    create_level(path, shape=shape, dtype=np.dtype(np.uint16), chunk=(1, 256, 256), shard=shard, n_channels=1)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        sys.stdout.write(json.dumps(_measure(sys.argv[1], int(sys.argv[2]), Path(scratch))))
