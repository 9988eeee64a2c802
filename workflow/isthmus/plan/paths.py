"""Where everything of a run lies. The only place that knows the names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunPaths:
    """Paths below a results folder."""

    root: Path

    @property
    def plan(self) -> Path:
        """The plan of the run."""
        return self.root / "plan.json"

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.root / "report.html"

    @property
    def resources(self) -> Path:
        """Time, memory and files of every job."""
        return self.root / "metrics" / "resources.tsv"

    @property
    def published(self) -> Path:
        """Size and CRC-32 of every result outside `work/`."""
        return self.root / "metrics" / "published.json"

    @property
    def work(self) -> Path:
        """Intermediates."""
        return self.root / "work"

    @property
    def logs(self) -> Path:
        """Logs of the jobs."""
        return self.root / "logs"

    @property
    def jobs(self) -> Path:
        """What each job used and wrote, a file a job."""
        return self.work / "jobs"

    @property
    def errors(self) -> Path:
        """The one-line errors of failed jobs, a file a job."""
        return self.work / "errors"

    @property
    def slurm(self) -> Path:
        """What jobs on Slurm leave for the head: names, last words."""
        return self.work / "slurm"

    @property
    def news(self) -> Path:
        """What was told of jobs that failed or wait, a line each."""
        return self.work / "news.jsonl"

    @property
    def cohort(self) -> Path:
        """Intermediates of all samples together."""
        return self.work / "cohort"

    @property
    def index(self) -> Path:
        """What reads are looked up in, where it is built here."""
        return self.cohort / "index"

    @property
    def cohort_table(self) -> Path:
        """The table of all samples' cells that passed quality control."""
        return self.root / "cohort" / "cells.h5ad"

    @property
    def pseudobulk(self) -> Path:
        """Counts added up by sample and type."""
        return self.root / "cohort" / "pseudobulk.h5ad"

    @property
    def composition(self) -> Path:
        """Shares of the types, compared between conditions."""
        return self.root / "cohort" / "composition.tsv"

    @property
    def structures(self) -> Path:
        """How far cells of each type lie from structures, where samples have any."""
        return self.root / "cohort" / "structures.tsv"

    def omics_table(self, name: str) -> Path:
        """A table of other omics, in the order of the run's samples, wells, spots or cells."""
        return self.root / "cohort" / f"{name}.h5ad"

    def modalities(self, unit: str) -> Path:
        """What is known of samples (or wells) from images, counts and other omics."""
        return self.root / "cohort" / f"{unit}s.h5mu"

    @property
    def correlations(self) -> Path:
        """Correlations of image features and molecules."""
        return self.root / "cohort" / "correlations.tsv"

    def sample(self, name: str) -> SamplePaths:
        """Paths of one sample."""
        return SamplePaths(self.root / name, self.work / name)


@dataclass(frozen=True)
class SamplePaths:
    """Paths of one sample: results that stay, and its intermediates in `work`."""

    root: Path
    work: Path

    @property
    def image(self) -> Path:
        """OME-Zarr image."""
        return self.root / "image.ome.zarr"

    @property
    def labels(self) -> Path:
        """Group of the label images inside the image."""
        return self.image / "labels"

    def image_at(self, path: str) -> Path:
        """One of the sample's images; an empty path for the only one."""
        return self.image / path

    def labels_at(self, path: str) -> Path:
        """Group of the label images inside an image."""
        return self.image / path / "labels"

    @property
    def table(self) -> Path:
        """Cells of the sample, quality marked."""
        return self.root / "cells.h5ad"

    @property
    def spots(self) -> Path:
        """Spots of the sample, quality marked, where it has an array of them."""
        return self.root / "spots.h5ad"

    @property
    def raw_spots(self) -> Path:
        """Spots before quality control."""
        return self.work / "spots.h5ad"

    @property
    def modalities(self) -> Path:
        """The same cells as MuData: molecules, intensities, shape, texture."""
        return self.root / "cells.h5mu"

    @property
    def wells(self) -> Path:
        """Profiles of the wells of a plate."""
        return self.root / "wells.h5ad"

    @property
    def outlines(self) -> Path:
        """Outlines of the cells."""
        return self.root / "cells.parquet"

    @property
    def transcripts(self) -> Path:
        """Transcripts with their cells."""
        return self.root / "transcripts.parquet"

    @property
    def seams(self) -> Path:
        """What comparing windows across seams with their uncut computation has shown."""
        return self.root / "seams.json"

    @property
    def failed_seams(self) -> Path:
        """The same where pixels differ."""
        return self.work / "seams.failed.json"

    @property
    def raw_table(self) -> Path:
        """Cells before quality control."""
        return self.work / "table.h5ad"

    @property
    def counted_reads(self) -> Path:
        """Matrix folder of a sample that comes as reads."""
        return self.work / "counts"

    @property
    def counted_table(self) -> Path:
        """Cells of a sample without an image, before quality control."""
        return self.work / "counts.h5ad"

    @property
    def histograms(self) -> Path:
        """Level-0 histogram of each channel."""
        return self.work / "histograms.npz"

    @property
    def survey(self) -> Path:
        """Global statistics of the image."""
        return self.work / "survey.json"

    @property
    def points(self) -> Path:
        """Transcripts binned by place."""
        return self.work / "points"

    @property
    def local_labels(self) -> Path:
        """Label image with ids that hold within a block."""
        return self.work / "local_labels.zarr"

    @property
    def polygons(self) -> Path:
        """The vendor's outlines by place."""
        return self.work / "polygons"

    @property
    def lookup(self) -> Path:
        """Tables from local to final ids."""
        return self.work / "lookup"

    def journal(self, step: str) -> Path:
        """Journal folder of a step that runs in packs."""
        return self.work / step / "journal"

    def record(self, step: str) -> Path:
        """The small record that a job leaves, which is what the workflow sees."""
        return self.work / f"{step}.json"

    def pack_record(self, step: str, pack: str) -> Path:
        """The record of one pack, named `{p}-of-{P}`."""
        return self.work / step / f"{pack}.json"


@dataclass(frozen=True)
class ImagePaths(SamplePaths):
    """Paths of one of a sample's images, `path` below its store; all else is the sample's."""

    path: str = ""

    @property
    def image(self) -> Path:
        """OME-Zarr image."""
        return self.root / "image.ome.zarr" / self.path


def pack_names(packs: int) -> list[str]:
    """Names of the packs of a step, `1-of-3` to `3-of-3`."""
    return [f"{p}-of-{packs}" for p in range(1, packs + 1)]


def pack_number(name: str) -> tuple[int, int]:
    """(p, P) of a pack's name, p from 1."""
    p, _, total = name.partition("-of-")
    return int(p), int(total)
