"""The command line."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from isthmus import __version__
from isthmus.errors import EXIT_OURS, EXIT_USER, UserError, fault_of_place

_EXIT_CODES = "exit codes: 0 fine, 1 something that you can mend (one line each), 2 a fault of Isthmus"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    all_words = tuple(words)
    words, passed_on = _split(words)
    parser = _parser()
    given = parser.parse_args(words)
    if passed_on and given.command not in ("check", "plan", "run"):
        parser.error(f"`{given.command}` takes no Snakemake arguments after --")
    given.passed_on, given.words = tuple(passed_on), all_words
    logging.getLogger("tifffile").setLevel(
        logging.CRITICAL
    )  # what is wrong with a file is told in our own words
    try:
        return int(given.function(given))
    except UserError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)  # noqa: T201
        return EXIT_USER
    except KeyboardInterrupt:
        print("interrupted; run again to go on where it stopped", file=sys.stderr)  # noqa: T201
        return EXIT_USER
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if (fault := fault_of_place(error)) is not None:
            print(f"error: {fault}", file=sys.stderr)  # noqa: T201
            return EXIT_USER
        import traceback

        traceback.print_exc()
        print("error: this is a fault of Isthmus; please report it with the lines above", file=sys.stderr)  # noqa: T201
        return EXIT_OURS


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """What is for Isthmus, and what comes after `--` for Snakemake."""
    if "--" not in words:
        return words, []
    place = words.index("--")
    return words[:place], words[place + 1 :]


class _Parser(argparse.ArgumentParser):
    """A wrong command line is something that the user can mend: exit code 1, one line."""

    def error(self, message: str) -> NoReturn:
        """End with the message and where to read on."""
        self.exit(EXIT_USER, f"error: {message}; see `{self.prog} --help`\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="isthmus", description="From images and molecules to one table of cells.", epilog=_EXIT_CODES
    )
    parser.add_argument("--version", action="version", version=f"isthmus {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    from isthmus.cli import commands as known

    check = commands.add_parser("check", help="validate configuration, sample sheet and inputs, in seconds")
    plan = commands.add_parser("plan", help="print the jobs, memory, time and files that a run will take")
    run = commands.add_parser("run", help="run the workflow, or go on with a run that was stopped")
    for command in (check, plan, run):
        command.add_argument("config", type=Path, metavar="CONFIG.yaml", help="configuration file")
        command.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="an option that wins over the file, for example execution.block_px=512; may be repeated",
        )
        command.add_argument(
            "--cores",
            type=_number_of_cores,
            default=os.cpu_count() or 1,
            help="cores to use (default: all of this machine)",
        )
        command.add_argument("--profile", default="default", help="name of a folder in profiles/, or a path")
    run.add_argument(
        "--account",
        default="",
        metavar="NAME",
        help="account that jobs on Slurm are billed to (default: the profile's, or Slurm's own)",
    )
    plan.add_argument(
        "--site", help="machine to plan for: a name in resources/sites/, or a path (default: this one)"
    )
    run.add_argument(
        "--head-in-job",
        action="store_true",
        help="submit the run itself as a small job, which submits itself again before its time is up",
    )
    run.add_argument(
        "--head-minutes",
        type=_positive,
        metavar="N",
        help="time limit of that job (default: a day, or what the partition allows)",
    )
    run.epilog = "arguments after -- go to Snakemake, for example: isthmus run CONFIG.yaml -- --dry-run"
    status = commands.add_parser("status", help="how far a run is, and its last error; writes nothing")
    verify = commands.add_parser("verify", help="read the results of a run again and tell what is damaged")
    for command in (status, verify):
        command.add_argument(
            "run",
            type=Path,
            metavar="CONFIG.yaml",
            help="configuration file of the run, or its results folder",
        )
        command.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", help="as it was given to `isthmus run`"
        )
    doctor = commands.add_parser("doctor", help="examine this machine, or the cluster whose login node it is")
    doctor.add_argument("--site", help="facts to compare with: a name in resources/sites/, or a path")
    doctor.add_argument("--profile", default="default", help="name of a folder in profiles/, or a path")
    doctor.add_argument("--account", default="", metavar="NAME", help="account of jobs on Slurm")
    doctor.add_argument(
        "--folder", type=Path, default=Path(), help="where results would go (default: the working directory)"
    )
    doctor.add_argument(
        "--probe", action="store_true", help="submit a small job that looks at a compute node from inside"
    )
    doctor.add_argument(
        "--facts",
        type=Path,
        metavar="FILE",
        help="where to write measured facts (default: <site>.measured.yaml)",
    )
    fetch = commands.add_parser("fetch", help="bring demo data; without a name, list what there is")
    fetch.add_argument("name", nargs="?", help="data set")
    fetch.add_argument("--into", type=Path, help="folder to put it in (default: the project's cache)")
    for command, function in (
        (check, known.check),
        (plan, known.plan),
        (run, known.run),
        (status, known.status),
        (verify, known.verify),
        (doctor, known.doctor),
        (fetch, known.fetch_data),
    ):
        command.set_defaults(function=function)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of minutes (1, 2, ...)")
    return int(text)


def _number_of_cores(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of cores (1, 2, ...)")
    return int(text)
