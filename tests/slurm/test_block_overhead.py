"""What a block costs beside its own work: many blocks share a pack's start, which a job a block would pay each time."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tissue_sample import image_of, write_image, write_sample

from isthmus.slurm.details import to_minutes
from slurm.cluster import Cluster
from slurm.on_slurm import OnSlurm, Study, end_of

N_BLOCKS, PACKS = 400, 4
MOST_CPU_S = 0.2


def write(folder: Path, name: str, side_px: int) -> dict[str, str]:
    """A sample whose image is as many copies of a small one as are needed, with the small one's molecules."""
    row = write_sample(folder, name)
    small = image_of()
    pixels = np.tile(small, (1, -(-side_px // small.shape[1]), -(-side_px // small.shape[2])))
    write_image(folder / f"{name}.ome.tif", pixels[:, :side_px, :side_px])
    return row


def overhead_cpu_s(cluster: Cluster, on_slurm: OnSlurm, sample: str) -> list[float]:
    """CPU seconds of each pack of pass 1 that were not its blocks'."""
    found = []
    for journal in sorted((on_slurm.results / "work" / sample / "segment_pack" / "journal").glob("*.jsonl")):
        (job,) = on_slurm.slurm_jobs(f"segment_pack.{sample}.{journal.stem}")
        text = cluster.call("sacct", "--noheader", "--parsable2", "--format=TotalCPU", f"--jobs={job}.batch")
        minutes = to_minutes(text)
        assert minutes, f"the database does not know what job {job} used: {text}"
        blocks = [json.loads(line)["cpu_s"] for line in journal.read_text().splitlines()]
        found.append(60 * minutes - sum(blocks))
    return found


@pytest.mark.slow
def test_a_block_in_a_pack_costs_little_beside_its_work(
    generic: Cluster, tmp_path: Path, record_property: Callable[[str, object], None]
):
    folder = tmp_path / "study"
    side_px = 256 * int(N_BLOCKS**0.5)
    rows = [write(folder, "many", side_px), write(folder, "one", 256)]
    options = {"execution": {"block_px": 256, "packs": PACKS, "keep_intermediates": True}}
    on_slurm = OnSlurm(Study(folder, rows, options), {"mem_mb": 1500})
    ended = end_of(on_slurm.start(until="work/many/stitch_labels.json"))
    assert ended[0] == 0, ended[1]
    ended = end_of(on_slurm.start(until="work/one/stitch_labels.json"))
    assert ended[0] == 0, ended[1]
    time.sleep(5)  # the database hears of steps a little later
    in_packs = sum(overhead_cpu_s(generic, on_slurm, "many")) / N_BLOCKS
    alone = max(overhead_cpu_s(generic, on_slurm, "one"))
    record_property("cpu_s_a_block_in_packs", round(in_packs, 3))
    record_property("cpu_s_a_block_alone", round(alone, 2))
    sys.stdout.write(f"beside the work: {in_packs:.3f} CPU s a block in {PACKS} packs, {alone:.1f} alone\n")
    assert in_packs <= MOST_CPU_S
    assert alone > 10 * in_packs
