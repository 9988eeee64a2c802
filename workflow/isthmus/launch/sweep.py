"""Remove what killed jobs have left of files that they had not finished, from the folders of results.

Every result is written under another name and then renamed. A job that is killed in between leaves the other name
behind: nobody reads it, but it takes room, and would be copied with the results.
"""

from __future__ import annotations

import re
from contextlib import suppress

from isthmus.plan.model import RunPlan
from isthmus.plan.paths import RunPaths

_UNFINISHED = re.compile(
    r"partial\..+"  # tables, outlines, transcripts
    r"|\..+\.part"  # tables of the cohort
    r"|\..+\.(json|html|tsv)\.\d+"  # records, with the number of the process
    r"|resources\.partial"
    r"|\.isthmus-.+"  # whether there is room
)


def sweep(plan: RunPlan, paths: RunPaths) -> int:
    """Remove them, and return how many there were. No job of these results may be running."""
    folders = [paths.root, paths.resources.parent, paths.cohort_table.parent]
    folders += [paths.sample(name).root for name in plan.samples]
    left = [
        path
        for folder in folders
        if folder.is_dir()
        for path in folder.iterdir()
        if _UNFINISHED.fullmatch(path.name) and path.is_file()
    ]
    for path in left:
        with suppress(FileNotFoundError):
            path.unlink()
    return len(left)
