"""Snakemake's own examination of the workflow, on a run that is ready to start."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from repo_files import ROOT


@pytest.fixture(scope="module")
def ready_run(tmp_path_factory) -> Path:
    """A folder with a small image, its transcripts, and a configuration."""
    folder = tmp_path_factory.mktemp("run")
    tifffile.imwrite(folder / "image.tif", np.zeros((64, 64), np.uint16))
    (folder / "points.csv").write_text("x_um,y_um,gene\n1,2,A\n")
    header = "sample\timage\ttranscripts\tpixel_size_um\torigin_x_um\torigin_y_um"
    (folder / "samples.tsv").write_text(f"{header}\none\timage.tif\tpoints.csv\t0.5\t0\t0\n")
    (folder / "config.yaml").write_text("samples: samples.tsv\n")
    return folder


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "snakemake", "--snakefile", str(ROOT / "workflow" / "Snakefile")]
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    return subprocess.run(
        [*command, "--configfile", "config.yaml", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_linter_has_nothing_to_say(ready_run):
    done = snakemake(ready_run, "--lint")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_dry_run_writes_nothing(ready_run):
    before = {path for path in ready_run.iterdir() if path.name not in (".snakemake", "cache")}
    done = snakemake(ready_run, "--dry-run", "--cores", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path for path in ready_run.iterdir() if path.name not in (".snakemake", "cache")} == before
