"""Progress for people: a live table on a terminal, lines elsewhere, and always lines in a log file."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from isthmus.launch.jobs import JobState, State
from isthmus.launch.progress import Progress, in_words

_REPEAT_S = 30.0


class Display:
    """Shows one progress after the other."""

    def __init__(self, log_file: Path) -> None:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        self._log = log_file.open("a", buffering=1)
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        self._seen: dict[str, State] = {}
        self._said_at = 0.0

    def __enter__(self) -> Display:
        if self._live:
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.__exit__(kind, error, trace)
        self._log.close()

    def show(self, progress: Progress) -> None:
        """Bring the display up to date."""
        lines = [self._line(job, progress) for job in progress.jobs if self._changed(job)]
        now = time.monotonic()
        running = [job for job in progress.jobs if job.state is State.RUNNING]
        if not lines and running and now - self._said_at > _REPEAT_S:
            lines = [self._line(running[0], progress)]
        for line in lines:
            self.say(line)
        if lines:
            self._said_at = now
        if self._live:
            self._live.update(_table(progress), refresh=True)

    def say(self, line: str) -> None:
        """A line to the log, and to people where there is no live table."""
        stamped = f"{time.strftime('%H:%M:%S')} {line}"
        self._log.write(f"{time.strftime('%Y-%m-%d')} {stamped}\n")
        if self._live is None:
            print(stamped, file=sys.stderr, flush=True)  # noqa: T201 - this is the display

    def _changed(self, job: JobState) -> bool:
        """Whether a job has a new state worth a line; what was done before this run is not."""
        before = self._seen.get(job.name)
        self._seen[job.name] = job.state
        if before is None:
            return job.state in (State.RUNNING, State.FAILED)
        return before is not job.state and job.state is not State.WAITING

    def _line(self, job: JobState, progress: Progress) -> str:
        what = {State.RUNNING: "running", State.DONE: "done", State.FAILED: "FAILED"}.get(
            job.state, "waiting"
        )
        took = (
            f" in {in_words(job.note['wall_s'])}" if job.state is State.DONE and "wall_s" in job.note else ""
        )
        left = f", about {in_words(progress.left_s)} left" if progress.left_s else ""
        blocks = "".join(
            f", {rule.n_blocks_done} of {rule.n_blocks} blocks"
            for rule in progress.rules
            if rule.rule == job.rule and rule.n_blocks
        )
        where = " ".join(part for part in (job.rule, job.sample, job.pack) if part)
        done = f"{progress.n_done} of {len(progress.jobs)} jobs"
        return f"{where}: {what}{took}{blocks} ({done}, {progress.share:.0%}{left})"


def _table(progress: Progress) -> Group:
    table = Table(box=None, pad_edge=False)
    for title in ("step", "", "jobs", "blocks", ""):
        table.add_column(title, justify="right" if title in ("jobs", "blocks") else "left")
    for rule in progress.rules:
        done, total = (rule.n_blocks_done, rule.n_blocks) if rule.n_blocks else (rule.n_done, rule.n_jobs)
        state = "failed" if rule.n_failed else "running" if rule.n_running else ""
        table.add_row(
            rule.rule,
            ProgressBar(total=max(1, total), completed=done, width=30),
            f"{rule.n_done}/{rule.n_jobs}",
            f"{rule.n_blocks_done}/{rule.n_blocks}" if rule.n_blocks else "",
            Text(state, style="red" if rule.n_failed else "cyan"),
        )
    left = f", about {in_words(progress.left_s)} left" if progress.left_s else ""
    return Group(table, Text(f"{progress.n_done} of {len(progress.jobs)} jobs, {progress.share:.0%}{left}"))
