"""Runs that many tests look at, each made once a session; and copies of them to harm."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from made_once import made_once
from study import REPOSITORY, Ended, Study
from tissue_sample import write_sample

from isthmus.errors import UserError
from isthmus.fetch import fetch

DEMO = REPOSITORY / "config" / "imaging_transcriptomics.yaml"

Copy = Callable[..., Study]


@dataclass(frozen=True)
class Finished:
    """A study that was run to its end; `sample` is the name of its one sample."""

    study: Study
    ended: Ended
    sample: str

    @property
    def results(self) -> Path:
        """The results folder."""
        return self.study.results


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A generated sample of 700 x 900 pixels, two channels, about 150 nuclei, in 12 blocks and 2 packs."""

    def make(folder: Path) -> tuple[Study, Ended]:
        options = {"execution": {"block_px": 256, "packs": 2, "keep_intermediates": True}}
        study = Study(folder / "study", [write_sample(folder / "study")], options)
        return study, study.run()

    study, ended = made_once(tmp_path_factory, "small", make)
    assert ended.code == 0, ended.text
    return Finished(study, ended, "a")


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The real demo: a crop of a Xenium data set of human breast cancer."""
    try:
        data = fetch("xenium_breast_small")
    except UserError as error:
        pytest.skip(f"the demo data cannot be had: {error}")
    options = yaml.safe_load(DEMO.read_text())
    options["samples"] = str(data / "samples.tsv")
    options["analysis"]["annotation"]["reference"] = str(data / "reference" / "sc_breast.csv")

    def make(folder: Path) -> tuple[Study, Ended]:
        study = Study(folder / "study", [], options)
        return study, study.run()

    study, ended = made_once(tmp_path_factory, "demo", make)
    assert ended.code == 0, ended.text
    return Finished(study, ended, "breast1")


@pytest.fixture(scope="session", params=["small", pytest.param("demo", marks=pytest.mark.slow)])
def finished(request: pytest.FixtureRequest) -> Finished:
    """Each of the finished runs."""
    run: Finished = request.getfixturevalue(f"{request.param}_run")
    return run


@pytest.fixture
def copied(tmp_path: Path) -> Copy:
    """Copies the folder of a finished study, inputs and results together, modification times kept."""

    def copy(run: Finished, name: str = "moved") -> Study:
        shutil.copytree(run.study.folder, tmp_path / name, symlinks=True)
        return Study(tmp_path / name, [dict(row) for row in run.study.rows], dict(run.study.options))

    return copy


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[..., Study]:
    """A study of generated samples that has not been run."""

    def make(*names: str, options: dict[str, object] | None = None) -> Study:
        folder = tmp_path / "fresh"
        rows = [write_sample(folder, name) for name in names or ("a",)]
        return Study(folder, rows, {"execution": {"block_px": 256, "packs": 2}, **(options or {})})

    return make
