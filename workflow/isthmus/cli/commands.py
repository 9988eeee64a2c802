"""What each command does."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from isthmus.cli.plan_text import plan_lines, plan_table
from isthmus.config.notes import notes_of
from isthmus.errors import EXIT_FINE, EXIT_USER, UserError, did_you_mean, n_of
from isthmus.launch.overrides import parse_overrides
from isthmus.launch.run import Run
from isthmus.plan.limits import check_limits
from isthmus.plan.model import write_plan
from isthmus.plan.paths import RunPaths


def check(given: argparse.Namespace) -> int:
    """Validate configuration, sample sheet and inputs."""
    from isthmus.launch.check import check_run

    run = _run_of(given)
    check_run(run)
    for name, sample in run.plan.samples.items():
        if not sample.has_image:
            source = sample.sheet["reads"] or sample.sheet["counts"]
            _say(f"{name}: {Path(source).name}, {sample.reader} without an image")
            continue
        _, z, y, x = sample.shape
        depth = f"{z} x " if z > 1 else ""
        points = ", transcripts" if sample.has_points else ""
        _say(
            f"{name}: {sample.reader}, {depth}{y} x {x} pixels, channels {', '.join(sample.channels)}{points}"
        )
        for note in sample.notes:
            _say(f"  note: {note}")
    for note in notes_of(run.settings.cells):
        _say(f"note: {note}")
    _say(f"fine: {n_of(len(run.plan.samples), 'sample')}; results go to {run.paths.root}")
    return EXIT_FINE


def plan(given: argparse.Namespace) -> int:
    """Print what a run will take, and write it to the results folder unless a run has begun there."""
    from isthmus.launch.site import machine_of_profile, machine_of_site

    profile = _profile(given.profile)
    machine = machine_of_site(given.site) if given.site else machine_of_profile(profile)
    run = Run.from_files(
        [given.config], overrides=parse_overrides(given.set), cores=given.cores, machine=machine
    )
    Console().print(plan_table(run.plan))
    for line in plan_lines(run.plan):
        _say(line)
    if run.has_begun:
        _say(f"not written: a run has begun in {run.paths.root}, which keeps its own plan")
    else:
        write_plan(run.plan, run.paths.plan)
        _say(f"written: {run.paths.plan}")
    return EXIT_USER if check_limits(run.plan) else EXIT_FINE


def run(given: argparse.Namespace) -> int:
    """Run the workflow."""
    from isthmus.launch.execute import Request, execute

    return execute(
        Request(
            config=given.config,
            overrides=parse_overrides(given.set),
            cores=given.cores,
            profile=_profile(given.profile),
            arguments=given.passed_on,
            account=given.account,
            head_in_job=given.head_in_job,
            head_min=given.head_minutes,
            words=given.words,
        )
    )


def status(given: argparse.Namespace) -> int:
    """How far a run is, who works on it, and its last errors."""
    from isthmus.launch.status import read_status, status_lines

    found = read_status(_results_of(given))
    for line in status_lines(found):
        _say(line)
    return EXIT_USER if found.failures else EXIT_FINE


def verify(given: argparse.Namespace) -> int:
    """Read the results of a run again; tells every fault as soon as it is found."""
    from isthmus.verify.run import Verification

    paths = _results_of(given)
    verification, n_faults = Verification(paths), 0
    for fault in verification.faults():
        n_faults += 1
        sys.stderr.write(f"error: {fault}\n")
    seen = verification.seen
    looked_at = (
        f"{n_of(seen.n_files, 'file')}, {n_of(seen.n_decoded, 'stored object')}, {n_of(seen.n_cells, 'cell')}"
    )
    if n_faults:
        _say(f"{n_of(n_faults, 'fault')} found in {looked_at}")
        return EXIT_USER
    _say(f"fine: {looked_at}; {paths.root} holds what was written, and its parts agree")
    return EXIT_FINE


def doctor(given: argparse.Namespace) -> int:
    """Examine this machine or cluster; errors go to the standard error, all else to the standard output."""
    from isthmus.doctor.finding import Kind
    from isthmus.doctor.run import Order, examine, write_facts
    from isthmus.sites.load import load_site, site_of_profile

    site = load_site(given.site) if given.site else site_of_profile(_profile(given.profile))
    folder = given.folder.absolute()
    if not folder.is_dir():
        raise UserError(where="--folder", found=f"there is no folder {folder}", do="make it, or give another")
    order = Order(site, folder, given.account, given.probe)
    found = examine(order)
    for remark in found.remarks:
        out = sys.stderr if remark.kind is Kind.ERROR else sys.stdout
        out.write(f"{remark}\n")
        out.flush()
    path = given.facts or Path(f"{site.name if site else 'site'}.measured.yaml")
    if write_facts(order, found, path):
        _say(f"measured facts: {path}; please send it to us, and use it by --site {path}")
    return EXIT_USER if found.n_errors else EXIT_FINE


def fetch_data(given: argparse.Namespace) -> int:
    """Bring a data set, or list them."""
    from isthmus.fetch import fetch, list_datasets

    if given.name is None:
        for dataset in list_datasets():
            there = "present" if dataset.present else f"{dataset.megabytes:.0f} MB"
            _say(f"{dataset.name:24} {there:10} {dataset.title} ({dataset.licence})")
        return EXIT_FINE
    folder = fetch(given.name, into=given.into)
    _say(f"{given.name}: {folder}")
    return EXIT_FINE


def _results_of(given: argparse.Namespace) -> RunPaths:
    """The results of a run that is named by its results folder or its configuration file."""
    from isthmus.config.load import load_settings

    if given.run.is_dir():
        root = given.run.absolute()
    else:
        root = load_settings([given.run], parse_overrides(given.set)).results
    if root is None or not RunPaths(root).plan.exists():
        raise UserError(
            where=str(root),
            found="there is no plan.json",
            do="give the configuration file of a run that has begun, or its results folder",
        )
    return RunPaths(root)


def _run_of(given: argparse.Namespace) -> Run:
    _profile(given.profile)
    return Run.from_files([given.config], overrides=parse_overrides(given.set), cores=given.cores)


def _profile(name: str) -> Path:
    """The folder of a profile: one of ours by name, or a path."""
    from isthmus.launch.execute import REPOSITORY

    ours = {folder.parent.name: folder.parent for folder in (REPOSITORY / "profiles").glob("*/config.yaml")}
    if name in ours:
        return ours[name]
    folder = Path(name)
    if (folder / "config.yaml").is_file():
        return folder.resolve()
    raise UserError(where="--profile", found=f"there is no profile '{name}'", do=did_you_mean(name, ours))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
