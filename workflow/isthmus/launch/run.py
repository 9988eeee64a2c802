"""One run as its head sees it: configuration, paths and plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from isthmus.config.load import load_settings
from isthmus.config.models import Settings
from isthmus.errors import UserError
from isthmus.launch.head import Head
from isthmus.launch.inputs import gates_digest, gather_inputs, reference_digest
from isthmus.launch.omics import omics_inputs
from isthmus.launch.sizes import this_machine
from isthmus.plan.limits import memory_to_ask, minutes_to_ask
from isthmus.plan.machine import Machine
from isthmus.plan.make import make_plan
from isthmus.plan.model import RunPlan, read_plan, write_plan
from isthmus.plan.paths import RunPaths, pack_names
from isthmus.plan.queues import longest_minutes
from isthmus.plan.rules import IN_PACKS
from isthmus.steps.build_index import index_in


class Run:
    """A run. The head makes its plan when it is first asked for; a job's process reads what the head wrote."""

    def __init__(
        self, settings: Settings, *, is_head: bool, cores: int | None, machine: Machine | None = None
    ) -> None:
        if settings.results is None:  # pragma: no cover - the loader fills it in
            raise ValueError("results is not set")
        self.settings = settings
        self.paths = RunPaths(settings.results)
        self._is_head = is_head
        self._cores = cores
        self._machine = machine

    @classmethod
    def from_files(
        cls,
        files: Sequence[Path | str],
        *,
        overrides: Mapping[str, Any],
        is_head: bool = True,
        cores: int | None = None,
        machine: Machine | None = None,
        cwd: Path | None = None,
    ) -> Run:
        """Read the configuration.

        Parameters
        ----------
        files, overrides, cwd
            See `isthmus.config.load.load_settings`.
        is_head
            False in a job: the plan is read, never made.
        cores
            Cores of this machine that one job may use; None for all.
        machine
            What the run is for; None for this machine.
        """
        settings = load_settings([Path(file) for file in files], overrides, cwd)
        return cls(settings, is_head=is_head, cores=cores, machine=machine)

    @cached_property
    def plan(self) -> RunPlan:
        """The plan."""
        if not self._is_head:
            return read_plan(self.paths.plan)
        previous = self._previous()
        machine = self._planned_for(previous)
        if previous and not self.has_begun and previous.machine != machine:
            previous = None  # a plan of which nothing has begun binds only the machine that it was made for
        return make_plan(
            self.settings.model_dump(mode="json"),
            gather_inputs(self.settings),
            reference=reference_digest(self.settings),
            gates=gates_digest(self.settings),
            machine=machine,
            previous=previous,
            omics=omics_inputs(self.settings),
        )

    @property
    def has_begun(self) -> bool:
        """Whether a job of an earlier run has started in the results folder."""
        return self.paths.jobs.exists()

    def _planned_for(self, previous: RunPlan | None) -> Machine:
        """The machine that is named; below a head that has just made the plan, the plan's; else this one."""
        machine = self._machine
        if machine is None:
            under_head = previous is not None and Head(self.paths.work).is_above()
            machine = previous.machine if previous and under_head else this_machine(self._cores)
        workers = self.settings.execution.workers
        return machine if workers is None else replace(machine, cores=workers, light_cores=None)

    def _previous(self) -> RunPlan | None:
        """The plan of an earlier run in this folder; a damaged one counts as none."""
        try:
            return read_plan(self.paths.plan) if self.paths.plan.exists() else None
        except UserError:
            return None

    def results_seen_from(self, folder: Path) -> str:
        """The results folder as a path from another folder: relative where it lies below it."""
        root = self.paths.root
        return str(root.relative_to(folder) if root.is_relative_to(folder) else root)

    def begin(self) -> None:
        """Take the results folder and write the plan: the run begins, nothing is written before."""
        Head(self.paths.work).take()
        write_plan(self.plan, self.paths.plan)

    @property
    def is_under_way_here(self) -> bool:
        """Whether this very process began the run, not one that it works for."""
        return Head(self.paths.work).is_held_here()

    def end(self) -> None:
        """Give the results folder back."""
        Head(self.paths.work).release()

    def pack_records(self, step: str, sample: str) -> list[str]:
        """Paths of the records of all packs of a sample."""
        paths = RunPaths(Path(self.results_seen_from(Path.cwd()))).sample(sample)
        return [str(paths.pack_record(step, name)) for name in pack_names(self.plan.sample(sample).packs)]

    def points_record(self, sample: str) -> list[str]:
        """The record of the binned transcripts, where the sample has any."""
        paths = RunPaths(Path(self.results_seen_from(Path.cwd()))).sample(sample)
        return [str(paths.record("import_transcripts"))] if self.plan.sample(sample).has_points else []

    def built_index(self) -> list[str]:
        """The files of the index that reads are looked up in, where it is built here."""
        if "build_index" not in self.plan.cohort:
            return []
        index = index_in(RunPaths(Path(self.results_seen_from(Path.cwd()))).index)
        return [str(index.index), str(index.transcripts_to_genes)]

    def counted_reads(self, sample: str) -> list[str]:
        """The record of a sample's counted reads, where it comes as reads."""
        paths = RunPaths(Path(self.results_seen_from(Path.cwd()))).sample(sample)
        counted = "count_reads" in self.plan.sample(sample).digests
        return [str(paths.record("count_reads"))] if counted else []

    def raw_table(self, sample: str) -> str:
        """The sample's table before quality control."""
        paths = RunPaths(Path(self.results_seen_from(Path.cwd()))).sample(sample)
        return str(paths.raw_table if self.plan.sample(sample).has_image else paths.counted_table)

    def raw_numbers(self, sample: str) -> str:
        """The record of the job that made that table."""
        paths = RunPaths(Path(self.results_seen_from(Path.cwd()))).sample(sample)
        return str(paths.record("build_table" if self.plan.sample(sample).has_image else "import_counts"))

    def memory_mb(self, rule: str, attempt: int) -> int:
        """Memory to ask for: more at each attempt, but for packs, whose next attempt uses fewer workers instead."""
        return memory_to_ask(
            self.plan.rules[rule], self.plan.machine, rule, attempt=1 if rule in IN_PACKS else attempt
        )

    def minutes(self, rule: str, attempt: int) -> int:
        """Time to ask for: more at each attempt, as far as the machine allows."""
        asked = minutes_to_ask(self.plan.rules[rule])
        most = longest_minutes(self.plan.machine, rule) or asked * attempt
        return max(asked, min(asked * attempt, most))

    def workers(self, rule: str) -> int:
        """Processes of one job."""
        return self.plan.rules[rule].workers
