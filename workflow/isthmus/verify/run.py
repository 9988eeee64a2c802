"""Re-reads the outputs of a run; tells every fault by where it is, what was found and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isthmus.errors import UserError, n_of
from isthmus.launch.head import is_held
from isthmus.launch.jobs import JobState, State, job_states, published_jobs
from isthmus.plan.model import RunPlan, read_plan
from isthmus.plan.paths import RunPaths, SamplePaths
from isthmus.steps.sheet import main_modality, settings_of
from isthmus.verify.cell_table import CellTable, NotATable, read_cell_table, read_names
from isthmus.verify.journals import faults_of_journals
from isthmus.verify.modalities import faults_of_modalities
from isthmus.verify.noted import (
    RUN_AGAIN,
    Noted,
    faults_of_files,
    faults_of_note,
    faults_of_strangers,
    noted_files,
)
from isthmus.verify.stores import StoreCheck
from isthmus.verify.tables import TableCheck

_NOT_SEEN = "no window was compared: nothing is known of the seams"


@dataclass
class Verified:
    """What was looked at."""

    n_files: int = 0
    n_decoded: int = 0
    n_cells: int = 0


class Verification:
    """One look at the results of a run; memory follows the stored objects and the number of cells, not the image."""

    def __init__(self, paths: RunPaths) -> None:
        self._paths = paths
        self.seen = Verified()
        self._noted: dict[str, Noted] = {}
        self._bad: set[str] = set()
        self._passing: list[str] | None = []

    def faults(self) -> Iterator[UserError]:
        """Every fault, in the order of the steps.

        Raises
        ------
        UserError
            There is no plan that can be read, or a run is under way.
        """
        plan = read_plan(self._paths.plan)
        if is_held(self._paths.work):
            raise UserError(
                where=str(self._paths.root),
                found="a run is under way here",
                do="verify when it has ended; `isthmus status` tells how far it is",
            )
        states = job_states(plan, self._paths)
        self._noted = noted_files(plan, self._paths)
        self.seen.n_files = len(self._noted)
        yield from self._unfinished(states)
        yield from faults_of_note(self._paths, self._place)
        yield from faults_of_files(self._paths.root, self._noted, self._place, self._bad)
        for sample in plan.samples:
            yield from faults_of_journals(plan, self._paths, sample, self._place)
            if self._is_made(sample, states):
                yield from self._sample(plan, sample)
            else:
                self._passing = None
        yield from self._cohort(states)

    def _place(self, path: str) -> str:
        """A path below the results as it is told: seen from the working directory, where it lies below that."""
        whole = self._paths.root / path
        return str(whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole)

    def _unfinished(self, states: list[JobState]) -> Iterator[UserError]:
        undone = [job for job in states if job.state is not State.DONE]
        if not undone:
            return
        if len(undone) == len(states) and not published_jobs(self._paths) and not self._paths.jobs.exists():
            yield UserError(
                where=self._place("metrics/published.json"),
                found="there is neither this note nor work/: nothing tells what was written",
                do="only the results themselves are compared; `isthmus run` makes them anew",
            )
            return
        yield UserError(
            where=self._place(""),
            found=f"the run is not complete: {n_of(len(undone), 'job')} of {len(states)} not done"
            f" (first: {undone[0].name})",
            do="go on with `isthmus run`",
        )

    def _is_made(self, sample: str, states: list[JobState]) -> bool:
        """Whether a sample is complete: its jobs are done, or nothing is known of them and it is there."""
        mine = [job for job in states if job.sample == sample]
        of = self._paths.sample(sample)
        unknown = all(not job.note for job in mine)
        return all(job.state is State.DONE for job in mine) or (unknown and of.table.exists())

    def _sample(self, plan: RunPlan, sample: str) -> Iterator[UserError]:
        of = self._paths.sample(sample)
        if not plan.sample(sample).has_image:
            yield from self._counted(plan, sample)
            return
        stores = StoreCheck(plan.sample(sample), self._paths, sample, self._place, self._bad)
        yield from stores.faults()
        self.seen.n_decoded += stores.seen.n_decoded
        if any(job["sample"] == sample for job in published_jobs(self._paths).values()) or self._knows(of):
            yield from faults_of_strangers(self._paths.root, of.image, self._noted, self._place)
        yield from self._seams(of)
        try:
            table = self._table(of)
        except NotATable as error:
            yield self._fault(of.table, f"it is no table of cells that can be read ({error})")
            table = None
        if table is None:
            self._passing = None
            return
        self.seen.n_cells += len(table.obs)
        check = TableCheck(plan.sample(sample), of, sample, table, self._seen_from_here(of.table))
        yield from check.of_rows()
        yield from check.against_labels(stores.seen.sums)
        if self._is_sound(of.outlines):
            yield from check.against_outlines(of.outlines, self._seen_from_here(of.outlines))
        if "join_modalities" in plan.sample(sample).digests and self._is_sound(of.modalities):
            main = main_modality(plan, plan.sample(sample))
            yield from faults_of_modalities(
                of.table, of.modalities, main, self._seen_from_here(of.modalities)
            )
        if plan.sample(sample).has_points and self._is_sound(of.transcripts):
            min_qv = settings_of(plan).quantification.min_qv
            yield from check.against_transcripts(of.transcripts, self._seen_from_here(of.transcripts), min_qv)
        if plan.sample(sample).has_spots:
            yield from self._spots(plan, sample)
        elif sample not in plan.compared():
            self._note_passing(table)

    def _spots(self, plan: RunPlan, sample: str) -> Iterator[UserError]:
        """The table of spots, from which the cohort is made where there is one."""
        of = self._paths.sample(sample)
        table = None
        try:
            table = read_cell_table(of.spots, has_places=False) if self._is_sound(of.spots) else None
        except NotATable as error:
            yield self._fault(of.spots, f"it is no table of spots that can be read ({error})")
        if table is None:
            self._passing = None
        elif sample not in plan.compared():
            self._note_passing(table)

    def _counted(self, plan: RunPlan, sample: str) -> Iterator[UserError]:
        """A sample without an image is its table."""
        of = self._paths.sample(sample)
        try:
            table = self._table(of, has_places=False)
        except NotATable as error:
            yield self._fault(of.table, f"it is no table of cells that can be read ({error})")
            table = None
        if table is None:
            self._passing = None
            return
        self.seen.n_cells += len(table.obs)
        check = TableCheck(plan.sample(sample), of, sample, table, self._seen_from_here(of.table))
        yield from check.of_rows()
        self._note_passing(table)

    def _knows(self, of: SamplePaths) -> bool:
        prefix = f"{of.image.relative_to(self._paths.root).as_posix()}/"
        return any(path.startswith(prefix) for path in self._noted)

    def _table(self, of: SamplePaths, *, has_places: bool = True) -> CellTable | None:
        """The sample's table; None where it is missing or damaged, which was told."""
        return read_cell_table(of.table, has_places=has_places) if self._is_sound(of.table) else None

    def _is_sound(self, file: Path) -> bool:
        return file.relative_to(self._paths.root).as_posix() not in self._bad and file.exists()

    def _seams(self, of: SamplePaths) -> Iterator[UserError]:
        if of.failed_seams.exists():
            yield UserError(
                where=self._seen_from_here(of.failed_seams),
                found="windows at seams are not what the image gives without cuts",
                do="do not use the label images; please report it with this file",
            )
            return
        if not self._is_sound(of.seams):
            if not of.seams.exists() and of.seams.relative_to(self._paths.root).as_posix() not in self._bad:
                yield self._fault(of.seams, "is missing")
            return
        try:
            found = dict(json.loads(of.seams.read_text()))
            verdict, n_differing = found["verdict"], int(found["differing_pixels"])
            boxes = [int(window["differing_pixels"]) for window in found["windows"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            yield self._fault(of.seams, f"the certificate cannot be read ({error!r})")
            return
        if verdict not in ("same", "no_seams", "not_compared") or n_differing or any(boxes):
            yield self._fault(
                of.seams, f"the certificate says '{verdict}', with {n_of(n_differing, 'differing pixel')}"
            )
        elif verdict == "not_compared":
            yield UserError(
                where=self._seen_from_here(of.seams), found=_NOT_SEEN, do="see docs/certificate.md"
            )

    def _note_passing(self, table: CellTable) -> None:
        if self._passing is not None and "qc_pass" in table.obs:
            self._passing += [str(name) for name in table.obs.index[table.obs["qc_pass"].to_numpy(bool)]]
        else:
            self._passing = None

    def _cohort(self, states: list[JobState]) -> Iterator[UserError]:
        """Whether the cohort's table has the cells of the samples that passed."""
        path = self._paths.cohort_table
        if self._passing is None or not self._is_sound(path):
            return
        if any(job.note and job.state is not State.DONE for job in states):
            return
        try:
            names = read_names(path)
        except NotATable as error:
            yield self._fault(path, f"it is no table of cells that can be read ({error})")
            return
        if sorted(names) != sorted(self._passing):
            yield self._fault(
                path,
                f"it has {n_of(len(names), 'cell')}, of {len(self._passing):,} that passed quality control"
                if len(names) != len(self._passing)
                else "it has other cells than those that passed quality control",
            )

    def _seen_from_here(self, file: Path) -> str:
        return self._place(file.relative_to(self._paths.root).as_posix())

    def _fault(self, file: Path, found: str) -> UserError:
        return UserError(where=self._seen_from_here(file), found=found, do=f"delete it, then {RUN_AGAIN}")
