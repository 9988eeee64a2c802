"""Runs on a real Slurm whose results folder fails under them, or comes to harm: told in lines, mended by running again.

The three are under way at the same time; each ends with the values of a run that was left alone.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import compare
import pytest
from study import ISTHMUS, command, end_started, journal_lines

from slurm.cluster import Cluster
from slurm.layout import GENERIC
from slurm.on_slurm import STEPS, TABLE, Bases, OnSlurm, copy_of, end_of
from slurm.together import Together

N_BLOCKS = 12
DISK_MB = 300
NAMES = ("nuclei", "cells")


@dataclass(frozen=True)
class Mended:
    """A run: how it ended, what `verify` then said of it, and how it ended when it was run again."""

    on_slurm: OnSlurm
    code: int
    said: str
    verified: str
    again: int
    said_again: str


def mount(*words: str) -> None:
    """Mount something, or skip the test."""
    done = subprocess.run(["mount", *words], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this user may not mount a file system ({done.stderr.strip()})")


def unmount(folder: Path) -> None:
    """Unmount a folder, whoever is still in it."""
    subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)


def on_cluster(bases: Bases, folder: Path) -> OnSlurm:
    """A study before its first packs, on the cluster."""
    return OnSlurm(copy_of(bases.before["segment_pack"], folder / "study"), {"slurm_partition": "faults"})


def verify(on_slurm: OnSlurm) -> str:
    """What `isthmus verify` says of results in which something is wrong."""
    ended = command([*ISTHMUS, "verify", str(on_slurm.study.config)], on_slurm.study.folder)
    assert ended.code == 1, ended.text
    assert "Traceback" not in ended.text
    return ended.text


def shard_of(labels: Path) -> Path:
    """A stored object of full-size labels."""
    return min(path for path in (labels / "0" / "c").rglob("*") if path.is_file())


def full_disk(bases: Bases, folder: Path) -> Mended:
    """Others fill the disk while packs are under way, and later make room."""
    on_slurm = on_cluster(bases, folder)
    results, before = on_slurm.results, on_slurm.results.with_name("before")
    results.rename(before)
    results.mkdir()
    mount("-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(results))
    try:
        shutil.copytree(before, results, symlinks=True, dirs_exist_ok=True)
        run = on_slurm.start(until=TABLE)
        on_slurm.freeze_packs(run)
        ballast = results / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        on_slurm.thaw()
        code, said = end_of(run)
        verified = verify(on_slurm)
        ballast.unlink()
        mended = Mended(on_slurm, code, said, verified, *on_slurm.run(until=TABLE))
        shutil.copytree(results, before, symlinks=True, dirs_exist_ok=True)
    finally:
        unmount(results)
    results.rmdir()
    before.rename(results)  # to be looked at when the disk is gone
    return mended


def read_only(bases: Bases, folder: Path) -> Mended:
    """The folder takes nothing more while packs are under way."""
    on_slurm = on_cluster(bases, folder)
    results = str(on_slurm.results)
    run = on_slurm.start(until=TABLE)
    on_slurm.freeze_packs(run)
    mount("--bind", results, results)
    try:
        mount("-o", "remount,bind,ro", results)
        on_slurm.thaw()
        code, said = end_of(run)
        verified = verify(on_slurm)
    finally:
        unmount(on_slurm.results)
    return Mended(on_slurm, code, said, verified, *on_slurm.run(until=TABLE))


def harm(bases: Bases, folder: Path) -> Mended:
    """A byte of a shard is flipped, another shard deleted, a journal cut short, when packs have done their work."""
    on_slurm = OnSlurm(copy_of(bases.whole, folder / "study"), {"slurm_partition": "faults"})
    results = on_slurm.results
    corrupted, deleted = (shard_of(results / "a" / "image.ome.zarr" / "labels" / name) for name in NAMES)
    data = bytearray(corrupted.read_bytes())
    data[len(data) // 2] ^= 0xFF
    corrupted.write_bytes(data)
    deleted.unlink()
    journal = results / "work" / "a" / "segment_pack" / "journal" / "1-of-2.jsonl"
    journal.write_bytes(journal.read_bytes()[:-30])
    verified = verify(on_slurm)
    return Mended(on_slurm, 1, "", verified, *on_slurm.run(until=TABLE))


CASES = {"full_disk": full_disk, "read_only": read_only, "harm": harm}


@pytest.fixture(scope="module")
def mended(
    cluster: Cluster, bases: Bases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Mended]]:
    """The three, by name; each has the values of a run that was left alone."""
    cluster.load(GENERIC)
    cluster.wait_for_nodes()
    tasks = {name: partial(case, bases, tmp_path_factory.mktemp(name)) for name, case in CASES.items()}
    ended = Together(tasks, at_once=len(tasks))

    def of(name: str) -> Mended:
        made = ended[name]
        assert made.code == 1, made.said
        assert "fault of Isthmus" not in made.said
        assert made.again == 0, made.said_again
        compare.assert_same_sample(bases.whole.results, made.on_slurm.results, seams=True)
        return made

    yield of
    end_started()
    cluster.clear_jobs()


def test_a_disk_that_others_fill(mended: Callable[[str], Mended]):
    made = mended("full_disk")
    faults = [line for line in made.said.splitlines() if line.startswith("error:")]
    assert faults
    assert all("no space is left" in fault or "No space left" in fault for fault in faults), faults
    assert "the run is not complete" in made.verified


def test_a_folder_that_takes_nothing_more(mended: Callable[[str], Mended]):
    made = mended("read_only")
    faults = [line for line in made.said.splitlines() if line.startswith("error:")]
    assert faults
    assert all("read-only" in fault.lower() for fault in faults), faults
    assert "the run is not complete" in made.verified
    assert journal_lines(made.on_slurm.results, "segment_pack") == N_BLOCKS, "a block was done again"


def test_shards_and_a_journal_that_come_to_harm(mended: Callable[[str], Mended]):
    made = mended("harm")
    assert all(name in made.verified for name in ("labels/nuclei", "labels/cells", "journal")), made.verified
    for step in STEPS:
        assert made.on_slurm.blocks_computed(step) <= N_BLOCKS + 3, "more was done again than came to harm"
