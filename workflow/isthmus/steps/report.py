"""report: the page for people, and the table of what every job used."""

from __future__ import annotations

from isthmus.report.page import write_report
from isthmus.report.resources import write_resources
from isthmus.steps.job import Job


def report(job: Job) -> None:
    """Write report.html and metrics/resources.tsv."""
    write_resources(job.paths)
    write_report(job.paths.root)
