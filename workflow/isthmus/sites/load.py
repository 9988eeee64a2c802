"""Read a site's facts, by its name or from a file of one's own."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import ValidationError

from isthmus.config.yaml_text import read_mapping
from isthmus.errors import UserError, did_you_mean, raise_all
from isthmus.sites.faults import faults_of
from isthmus.sites.model import Site

FOLDER = Path(__file__).resolve().parents[3] / "resources" / "sites"
MARK = re.compile(r"^\s*isthmus_site:\s*['\"]*([A-Za-z0-9_./-]+)", flags=re.MULTILINE)
"""How a profile names its site: a default resource, which Snakemake hands to every job."""


def site_names() -> list[str]:
    """Names of the sites that come with Isthmus."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_site(name: str) -> Site:
    """The facts of a site: a name in resources/sites/, or the path of such a file.

    Raises
    ------
    UserError
        There is no such site, or its file is wrong; all faults at once.
    """
    path = FOLDER / f"{name}.yaml"
    if name not in site_names():
        path = Path(name)
        if path.suffix not in (".yaml", ".yml") or not path.is_file():
            do = did_you_mean(name, site_names())
            raise UserError(where="site", found=f"there is no site '{name}'", do=do)
    return read_site(path)


def read_site(path: Path) -> Site:
    """The facts in a file."""
    where = path.name
    try:
        site = Site.model_validate(read_mapping(path, where=where))
    except ValidationError as error:
        raise_all(faults_of(error, Site, where))
        raise
    site._name = path.stem
    return site


def site_of_profile(folder: Path) -> Site | None:
    """The site that a profile is for; None where it names none."""
    try:
        text = (folder / "config.yaml").read_text(encoding="utf-8")
    except OSError:
        return None
    named = MARK.search(text)
    return load_site(named[1]) if named else None
