"""Find what is damaged in a finished or interrupted run, so that exactly that is made again."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from isthmus.errors import n_of
from isthmus.launch.jobs import last_note, planned_jobs, published_jobs
from isthmus.launch.published import find_lost, forget
from isthmus.packs.journal import Journal
from isthmus.plan.model import RunPlan
from isthmus.plan.paths import RunPaths
from isthmus.plan.rules import IN_PACKS, OF_OMICS
from isthmus.steps.stored import damaged


@dataclass(frozen=True)
class Damage:
    """A job whose results are not what it left: `targets` are the files to ask the workflow for.

    Where the intermediates are gone: a sample or the cohort, without rule and targets.
    """

    rule: str
    job: str
    what: str
    targets: tuple[Path, ...]


def repair(plan: RunPlan, paths: RunPaths) -> list[Damage]:
    """Drop the records of jobs whose files are missing or damaged; returns what the workflow must make again,
    in the order of the steps.

    A job that never ended has nothing to repair, and neither has one of an outdated plan: the workflow sees to them.
    When the intermediates were deleted after a complete run, a sample with a published file that is missing or damaged
    is dropped as a whole: the workflow makes it again, without being asked for anything by name.
    """
    lost = find_lost(plan, paths)
    for sample in lost:
        forget(paths, sample)
    found = [
        *(
            Damage(
                "", sample or "cohort", f"{n_of(len(files), 'result')} missing or damaged ({files[0]})", ()
            )
            for sample, files in lost.items()
        ),
        *_find(plan, paths),
    ]
    for damage in found:
        for target in damage.targets:
            target.unlink(missing_ok=True)
    return found


def jobs_made_again(plan: RunPlan, paths: RunPaths, damages: Sequence[Damage]) -> set[str]:
    """Names of the jobs that damages bring back: themselves, and pass 1 where pass 2 needs what was removed of it."""
    names = {damage.job for damage in damages}
    jobs = {".".join(part for part in job if part): job for job in planned_jobs(plan)}
    second = {sample for name, (rule, sample, _) in jobs.items() if name in names and rule == "quantify_pack"}
    removed = {
        name: sample
        for name, (rule, sample, _) in jobs.items()
        if rule == "segment_pack" and sample in second and last_note(paths, name).get("status") == "removed"
    }
    return names | removed.keys() | {f"stitch_labels.{sample}" for sample in removed.values()}


def find_outdated(plan: RunPlan, paths: RunPaths) -> list[Path]:
    """Outputs of jobs that are done, but for another plan, where Snakemake may not know it.

    It sees that from what it keeps in the working directory; but nothing is there when the results were moved, or when
    the run is continued from elsewhere.
    """
    found: list[Path] = []
    published = published_jobs(paths)
    for rule, sample, pack in planned_jobs(plan):
        name = ".".join(part for part in (rule, sample, pack) if part)
        note = last_note(paths, name)
        if note.get("status") == "done" and note.get("digest") != plan.digest(rule, sample):
            found += [paths.root / path for path in note.get("outputs", {})]
        elif not note and published.get(name, {}).get("digest", plan.digest(rule, sample)) != plan.digest(
            rule, sample
        ):
            found += [path for path in _results_of(paths, rule, sample) if path.exists()]
    return [path for path in found if path.exists() and not _is_known(path)]


def _results_of(paths: RunPaths, rule: str, sample: str) -> list[Path]:
    """The published files by which the workflow knows a rule."""
    of = paths.sample(sample)
    named = {
        "build_pyramid": [of.image / "zarr.json"],
        "build_outlines": [of.outlines],
        "certify_seams": [of.seams],
        "assess_quality": [of.table, of.spots],
        "join_modalities": [of.modalities],
        "profile_wells": [of.wells],
        "annotate": [paths.cohort_table, paths.pseudobulk, paths.composition, paths.structures],
        "report": [paths.report],
    }
    if rule in OF_OMICS:  # how many there are is in the configuration that they were made with
        return [paths.root / path for path in published_jobs(paths)[rule]["files"]]
    return named.get(rule, [])


def _is_known(output: Path) -> bool:
    """Whether Snakemake, in this working directory, knows how a file was made: its note is named by the file's path."""
    name = str(output.relative_to(Path.cwd()) if output.is_relative_to(Path.cwd()) else output)
    return Path(".snakemake", "metadata", urlsafe_b64encode(name.encode()).decode()).exists()


def blocks_without_entry(plan: RunPlan, paths: RunPaths, rule: str, sample: str) -> set[int]:
    """Blocks of a sample for which the journal of a rule that runs in packs has no whole entry and record."""
    journal = Journal(paths.sample(sample).journal(rule), paths.root)
    found = journal.finished(plan.digest(rule, sample), look_at_files=False)
    return set(range(plan.sample(sample).n_blocks)) - set(found)


def _find(plan: RunPlan, paths: RunPaths) -> Iterator[Damage]:
    without = cache(partial(blocks_without_entry, plan, paths))
    for rule, sample, pack in planned_jobs(plan):
        name = ".".join(part for part in (rule, sample, pack) if part)
        note = last_note(paths, name)
        if note.get("status") != "done" or note.get("digest") != plan.digest(rule, sample):
            continue
        outputs = {paths.root / path: size for path, size in note.get("outputs", {}).items()}
        wrong = [path for path, size in outputs.items() if not path.is_file() or path.stat().st_size != size]
        if wrong:
            yield Damage(
                rule, name, f"{wrong[0].relative_to(paths.root)} is missing or damaged", tuple(outputs)
            )
            continue
        record = _record(paths, rule, sample, pack)
        broken = _broken_shards(paths, record) if record else []
        if broken and record:
            yield Damage(
                rule,
                name,
                f"{n_of(len(broken), 'stored object')} missing or damaged ({broken[0]})",
                (record,),
            )
            continue
        # Later steps read the blocks' records from the journal.
        lost = without(rule, sample) & set(plan.sample(sample).blocks_of(pack)) if pack else set()
        if lost and record:
            yield Damage(rule, name, f"{n_of(len(lost), 'block')} not in the journal", (record,))


def _record(paths: RunPaths, rule: str, sample: str, pack: str) -> Path | None:
    """The record of a job that writes into a store."""
    if not sample:
        return None
    of = paths.sample(sample)
    return of.pack_record(rule, pack) if rule in IN_PACKS else of.record(rule)


def _broken_shards(paths: RunPaths, record: Path) -> list[str]:
    try:
        return damaged(paths.root, json.loads(record.read_text()))
    except (OSError, ValueError, TypeError):
        return []
