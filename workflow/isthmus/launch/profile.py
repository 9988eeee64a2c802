"""What a Snakemake profile says, as far as a run must know before Snakemake begins."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from isthmus.errors import UserError
from isthmus.sites.load import site_of_profile
from isthmus.sites.model import Site
from isthmus.slurm.environment import split_names

SLURM = "isthmus-slurm"


@dataclass(frozen=True)
class Profile:
    """A profile: its folder and its options, in Snakemake's words."""

    folder: Path
    options: Mapping[str, Any]

    @property
    def on_slurm(self) -> bool:
        """Whether its jobs go to Slurm by our executor."""
        return str(self.options.get("executor", "")) == SLURM

    @property
    def site(self) -> Site | None:
        """The site that it is for; None where it names none."""
        return site_of_profile(self.folder)

    def exported(self, arguments: Sequence[str] = ()) -> list[str]:
        """Names of further variables of the environment that jobs get; words for Snakemake win over the profile."""
        option = f"{SLURM}-export"
        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        parser.add_argument(f"--{option}", dest="export", default=str(self.options.get(option) or ""))
        return split_names(parser.parse_known_args(arguments)[0].export)

    def default(self, resource: str) -> str:
        """A default resource; empty where there is none."""
        return _resources(self.options.get("default-resources")).get(resource, "")

    def values(self, resource: str) -> set[str]:
        """All values of a resource: the default, and those of single rules."""
        found = {self.default(resource), *(of.get(resource, "") for of in self._of_rules())}
        return found - {""}

    def _of_rules(self) -> Iterator[dict[str, str]]:
        given = self.options.get("set-resources") or {}
        if isinstance(given, Mapping):
            yield from (_resources(of) for of in given.values())
        else:  # "rule:resource=value"
            yield from (_resources([str(word).split(":", 1)[-1]]) for word in given)


def read_profile(folder: Path) -> Profile:
    """Read a profile's `config.yaml`."""
    file = folder / "config.yaml"
    try:
        options = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError) as error:
        line = " ".join(str(error).split())
        raise UserError(where=str(file), found=f"the profile cannot be read ({line})", do="mend it") from None
    if not isinstance(options, dict):
        raise UserError(where=str(file), found="the profile has no options", do="mend it")
    return Profile(folder, options)


def _resources(given: Any) -> dict[str, str]:
    """Resources by name, of a mapping or a list of `name=value`."""
    if isinstance(given, Mapping):
        return {str(name): _plain(value) for name, value in given.items()}
    if isinstance(given, Sequence) and not isinstance(given, str):
        pairs = (str(word).partition("=") for word in given)
        return {name: _plain(value) for name, _, value in pairs}
    return {}


def _plain(value: Any) -> str:
    return "" if value is None else str(value).strip().strip("\"'")
