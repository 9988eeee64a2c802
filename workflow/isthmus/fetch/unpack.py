"""Take the listed members out of a zip, a wheel, a tar archive or a folder; nothing else is unpacked."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from isthmus.errors import UserError
from isthmus.fetch.catalogue import Member
from isthmus.fetch.files import is_intact


def unpack(origin: Path, members: Sequence[Member], folder: Path, where: str) -> None:
    """Copy the members of an archive or folder into a folder and check each.

    A file that is no archive is itself the only member.
    """
    for member in members:
        target = folder / member.to
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _copy(origin, member, target)
        except (KeyError, FileNotFoundError) as error:
            found = f"'{origin.name}' has no member '{member.from_}'"
            raise UserError(where=where, found=found, do="correct the entry of the data set") from error
        if not is_intact(target, member):
            found = f"'{member.from_}' has another checksum than the catalogue says"
            raise UserError(where=where, found=found, do="correct the entry of the data set")


def _copy(origin: Path, member: Member, target: Path) -> None:
    if origin.is_dir() and member.n_files is not None:
        shutil.copytree(origin / member.from_, target)
    elif origin.is_dir():
        shutil.copyfile(origin / member.from_, target)
    elif zipfile.is_zipfile(origin):
        with (
            zipfile.ZipFile(origin) as archive,
            archive.open(member.from_) as data,
            target.open("wb") as file,
        ):
            shutil.copyfileobj(data, file)
    elif tarfile.is_tarfile(origin):
        with tarfile.open(origin) as tar:
            stream = tar.extractfile(member.from_)
            if stream is None:
                raise KeyError(member.from_)
            with stream, target.open("wb") as file:
                shutil.copyfileobj(stream, file)
    else:
        shutil.copyfile(origin, target)
