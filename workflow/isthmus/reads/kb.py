"""kb-python, in an environment of its own: an index of a genome, and molecules counted in reads.

Methods: kallisto (doi:10.1038/nbt.3519) finds the transcripts that a read may be of, bustools
(doi:10.1038/s41587-021-00870-2) corrects barcodes by one base and counts each molecule (barcode, tag, gene) once.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from isthmus.config.reads import ReadsOptions
from isthmus.errors import UserError
from isthmus.reads.fastq import ReadPair

log = logging.getLogger(__name__)

ENVIRONMENT = Path(__file__).resolve().parents[3] / ".venv-kb"
MEMORY = "1G"
"""What bustools sorts in; more is sorted on disk."""

_EMPTY_WORDS = ("[", "Warning", "Traceback")


@dataclass(frozen=True)
class Index:
    """What reads are looked up in: kallisto's index, and the gene of each transcript."""

    index: Path
    transcripts_to_genes: Path


def find_kb(environment: Path | None = None) -> Path:
    """The command `kb`: that of `make kb`, else one on the PATH; UserError where there is none."""
    own = environment or ENVIRONMENT
    is_whole = (own / "ready.txt").is_file()  # written last
    found = own / "bin" / "kb" if is_whole else shutil.which("kb")
    if found is None:
        raise UserError(
            where="column reads of the sample sheet",
            found="FASTQ files are counted by kb-python, which is not set up",
            do="run `make kb` once in the folder of Isthmus",
        )
    return Path(found)


def build_index(kb: Path, *, genome: Path, genes: Path, index: Index, scratch: Path) -> None:
    """Index the transcripts of a genome."""
    scratch.mkdir(parents=True, exist_ok=True)
    part = Index(scratch / "index", scratch / "genes.tsv")
    _run(
        [
            *(
                kb,
                "ref",
                "-i",
                part.index,
                "-g",
                part.transcripts_to_genes,
                "-f1",
                scratch / "transcripts.fa",
            ),
            *("-t", 1, "--tmp", scratch / "tmp", "--overwrite", genome, genes),
        ],
        where=f"quantification.reads, genome '{genome.name}' with genes '{genes.name}'",
        do="give the genome's FASTA and the GTF of the same release, with the same names of chromosomes",
        leaves=(part.index, part.transcripts_to_genes),
    )
    index.index.parent.mkdir(parents=True, exist_ok=True)
    part.index.replace(index.index)
    part.transcripts_to_genes.replace(index.transcripts_to_genes)


def count_molecules(
    kb: Path, pairs: Sequence[ReadPair], options: ReadsOptions, index: Index, *, scratch: Path, where: str
) -> Path:
    """Count; returns kb's folder, which lies in `scratch`."""
    made = scratch / "kb"
    scratch.mkdir(parents=True, exist_ok=True)
    more: list[object] = []
    if options.barcodes is not None:
        more += ["-w", options.barcodes]
    if options.strand is not None:
        more += ["--strand", options.strand]
    files = [file for pair in pairs for file in (pair.first, pair.second)]
    _run(
        [
            *(kb, "count", "-i", index.index, "-g", index.transcripts_to_genes, "-x", options.technology),
            *("-o", made, "--tmp", scratch / "tmp", "-t", 1, "-m", MEMORY, "--overwrite", "--delete-bus"),
            *(*more, *files),
        ],
        where=where,
        do="see the job's log; docs/use_cases/single_cell.md says what is needed",
        leaves=(
            made / "run_info.json",
            made / "kb_info.json",
            made / "counts_unfiltered" / "cells_x_genes.mtx",
        ),
    )
    return made


def _run(command: Sequence[object], *, where: str, do: str, leaves: Sequence[Path]) -> None:
    """Run kb and log what it says; what it starts ends with it.

    kb ends with 0 even where what it started has failed: what it leaves tells.
    """
    words = [str(word) for word in command]
    log.info("%s", " ".join(words))
    own = {"PATH": f"{Path(words[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}", "PYTHONPATH": ""}
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        env={**os.environ, **own},
        start_new_session=True,
    )
    try:
        said, _ = process.communicate()
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    log.info("%s", said.strip())
    if process.returncode or not all(path.is_file() and path.stat().st_size for path in leaves):
        raise UserError(where=where, found=f"kb {words[1]} failed ({_reason(said)})", do=do)


def _reason(said: str) -> str:
    """What kallisto or bustools said last: it follows kb's first line of level ERROR."""
    lines = said.splitlines()
    start = next((at for at, line in enumerate(lines) if "ERROR [" in line), -1)
    told = [line for line in lines[start + 1 :] if line.strip() and not line.startswith((*_EMPTY_WORDS, " "))]
    return told[0].strip() if told else "it did not say why"
