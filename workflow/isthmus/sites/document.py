"""Write the profiles and their table: `python -m isthmus.sites.document [REPOSITORY]`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from isthmus.errors import UserError
from isthmus.sites.facts import Fact
from isthmus.sites.load import FOLDER, read_site
from isthmus.sites.model import Site
from isthmus.sites.profile import profile_text

BEGIN = "<!-- sites: made by `make profiles`, do not edit -->"
END = "<!-- end of sites -->"
_HEAD = (
    "| name | system | a pack asks for | longest job | jobs queued / running | files, purge | head | help | tested |",
    "|---|---|---|---|---|---|---|---|---|",
)


def documents(repository: Path) -> dict[Path, str]:
    """Text of every generated file by its path."""
    profiles = repository / "profiles"
    sites = [read_site(path) for path in sorted((repository / "resources" / "sites").glob("*.yaml"))]
    page = profiles / "README.md"
    made = {profiles / (site.profile or site.name) / "config.yaml": profile_text(site) for site in sites}
    return {**made, page: _with_table(page.read_text(encoding="utf-8"), sites)}


def table(sites: Iterable[Site]) -> str:
    """One row a site; profiles of one machine first."""
    ordered = sorted(sites, key=lambda site: (site.scheduler == "slurm", site.title.lower()))
    return "\n".join([*_HEAD, *(f"| {' | '.join(_row(site))} |" for site in ordered)])


def _with_table(old: str, sites: Iterable[Site]) -> str:
    before, _, rest = old.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table(sites)}\n\n{END}{after}"


def _row(site: Site) -> tuple[str, ...]:
    packs, storage = site.packs, site.storage
    if site.scheduler == "none":
        return (
            f"`{site.profile or site.name}`",
            site.summary,
            "the cores given",
            "",
            "",
            "",
            "",
            "",
            site.tested,
        )
    shape = "a whole node: " if packs.whole_node.value else ""
    gpus = f", {site.gpus_per_pack} GPU" if site.gpus_per_pack else ""
    hours = "unknown" if packs.max_minutes.is_unknown else f"{(packs.max_minutes.value or 0) / 60:g} h"
    purge = f", {storage.purge_days.value} d" if storage.purge_days.value else ""
    return (
        f"`{site.profile or site.name}`",
        f"{site.title} ({_words(packs.partition, none='default partition')})",
        f"{shape}{packs.cores.value} cores{gpus}, {_memory(site)}",
        hours,
        f"{_words(packs.max_jobs_submitted)} / {_words(packs.max_jobs_running)}",
        f"{_words(storage.max_files)}{purge}",
        {"login": "login node", "job": "a job"}.get(site.software.head.value or "", "unknown"),
        f"<{site.contact.value}>",
        site.tested,
    )


def _words(fact: Fact[int] | Fact[str], none: str = "no limit") -> str:
    if fact.is_unknown:
        return "unknown"
    return (
        none if fact.value is None else f"{fact.value:,}" if isinstance(fact.value, int) else str(fact.value)
    )


def _memory(site: Site) -> str:
    if site.submission.memory_is_asked.value is False:
        return "no memory (comes with cores)"
    if site.packs.memory_mb.value:
        return f"{site.packs.memory_mb.value // 1024} GiB"
    return "memory as planned"


def main(arguments: list[str]) -> int:
    """Write the files into the repository given, or into that of the package."""
    repository = Path(arguments[0]) if arguments else FOLDER.parents[1]
    try:
        made = documents(repository)
    except UserError as error:
        sys.stderr.write("".join(f"error: {line}\n" for line in str(error).splitlines()))
        return 1
    for path, text in made.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
