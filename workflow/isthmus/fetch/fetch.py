"""`isthmus fetch NAME`: bring a data set to this machine, once, whole, and with its licence."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from isthmus.errors import UserError
from isthmus.fetch.catalogue import CATALOGUE, Dataset, find_dataset, read_catalogue
from isthmus.fetch.download import download
from isthmus.fetch.files import has_size, is_intact, sha256_of, write_text_whole
from isthmus.fetch.generate import make
from isthmus.fetch.unpack import unpack

DATA = CATALOGUE.parents[1] / ".cache" / "isthmus" / "data"
README = "README.txt"
SAMPLE_SHEET = "samples.tsv"


@dataclass(frozen=True)
class DatasetSummary:
    """A line of the list of data sets; megabytes counts the unpacked files."""

    name: str
    title: str
    use: str
    licence: str
    megabytes: float
    folder: Path
    present: bool


def list_datasets(catalogue: Path = CATALOGUE) -> list[DatasetSummary]:
    """All data sets that can be fetched; `present` looks at sizes only, so that listing is quick."""
    return [_summary(name, dataset) for name, dataset in sorted(read_catalogue(catalogue).items())]


def data_folder(name: str) -> Path:
    """Where a data set lies unless told otherwise; the configurations of the demos look there."""
    return DATA / name


def fetch(name: str, *, into: Path | None = None, catalogue: Path = CATALOGUE) -> Path:
    """Bring a data set to this machine.

    Files that are there and whole are left alone, without a look at the network; damaged ones are fetched
    again. Beside the files lie README.txt (licence, citation) and, where the catalogue has one, samples.tsv.

    Parameters
    ----------
    name
        Name of the data set.
    into
        Folder for its files; `data_folder(name)` when not given.

    Returns
    -------
    Path
        The folder with the files.
    """
    dataset = find_dataset(name, catalogue)
    folder = into if into is not None else data_folder(name)
    where = f"isthmus fetch {name}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not all(is_intact(folder / member.to, member) for member in dataset.members):
            _obtain(dataset, folder, catalogue, where)
        write_text_whole(folder / README, readme_text(name, dataset))
        if dataset.sample_sheet:
            write_text_whole(folder / SAMPLE_SHEET, sample_sheet_text(dataset))
    except OSError as error:
        found = f"folder '{folder}' cannot be written ({error.strerror or error})"
        do = "choose another place with --into"
        raise UserError(where=where, found=found, do=do) from error
    return folder


def readme_text(name: str, dataset: Dataset) -> str:
    """Text of the README.txt beside the files."""
    lines = [dataset.title, "", dataset.description, "", f"For: {dataset.use}", f"Licence: {dataset.licence}"]
    lines += [f"Cite: {dataset.citation}"] + ([f"DOI: {dataset.doi}"] if dataset.doi else []) + ["", "Files:"]
    lines += [f"  {member.to}  {member.holds}".rstrip() for member in dataset.members]
    lines += ["", *(f"{key}: {value}" for key, value in dataset.facts.items())] if dataset.facts else []
    return "\n".join([*lines, "", f"Written by `isthmus fetch {name}`.", ""])


def sample_sheet_text(dataset: Dataset) -> str:
    """A sample sheet for the files, with paths relative to it."""
    columns = list(dict.fromkeys(column for row in dataset.sample_sheet for column in row))
    rows = [[str(row.get(column, "")) for column in columns] for row in dataset.sample_sheet]
    return "".join("\t".join(cells) + "\n" for cells in [columns, *rows])


def _obtain(dataset: Dataset, folder: Path, catalogue: Path, where: str) -> None:
    """Fill a folder aside, check everything, then move the files into place."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as aside:
        origin = _origin(dataset, Path(aside), catalogue, where)
        unpacked = Path(aside) / "files"
        unpack(origin, dataset.members, unpacked, where)
        for member in dataset.members:
            target = folder / member.to
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                shutil.rmtree(target)
            (unpacked / member.to).replace(target)


def _origin(dataset: Dataset, aside: Path, catalogue: Path, where: str) -> Path:
    """The archive or folder that holds the members, with its checksum verified."""
    if dataset.get.generated is not None:
        folder = aside / "made"
        folder.mkdir()
        make(dataset.get.generated, folder, where)
        return folder
    if dataset.get.folder is not None:
        folder = catalogue.parent / dataset.get.folder
        if not folder.is_dir():
            raise UserError(where=where, found=f"there is no folder '{folder}'", do="correct the entry")
        return folder
    path = download(dataset.get, aside, where)
    if sha256_of(path) != dataset.get.sha256:
        found = f"what arrived as '{path.name}' has another checksum than the catalogue says"
        raise UserError(where=where, found=found, do="fetch again; if it happens again, report it")
    return path


def _summary(name: str, dataset: Dataset) -> DatasetSummary:
    folder = data_folder(name)
    return DatasetSummary(
        name=name,
        title=dataset.title,
        use=dataset.use,
        licence=dataset.licence,
        megabytes=sum(member.bytes for member in dataset.members) / 1e6,
        folder=folder,
        present=all(has_size(folder / member.to, member) for member in dataset.members),
    )
