"""The account that jobs are billed to: the user gives it, nobody guesses it."""

from __future__ import annotations

from isthmus.errors import UserError
from isthmus.sites.model import Site


def check_account(site: Site, account: str) -> None:
    """Raise UserError where a site will refuse the account, or needs one and there is none."""
    asked = site.submission
    form = f", for example {asked.account_form.value}" if asked.account_form.value else ""
    if not account and asked.account_required.value:
        raise UserError(
            where="account",
            found=f"{site.title} takes no job without one",
            do=f"give it: isthmus run --account NAME{form}",
        )
    suffix = asked.account_suffix.value or ""
    if account and not account.endswith(suffix):
        raise UserError(
            where="account",
            found=f"found '{account}'",
            do=f"the accounts of {site.title} end with '{suffix}'{form}",
        )


def snakemake_options(site: Site | None, account: str) -> list[str]:
    """What Snakemake is told of the account: itself, and the QOS where that has its name.

    A profile that names no site (None) is for Slurm as far as is known.
    """
    if not account or (site and site.scheduler != "slurm"):
        return []
    options = ["--isthmus-slurm-account", account]
    if qos := qos_of_account(site, account):
        options += ["--isthmus-slurm-qos", qos]
    return options


def qos_of_account(site: Site | None, account: str) -> str:
    """The QOS that has the account's name; empty where a QOS has a name of its own."""
    return account if site and site.submission.qos_is_account.value else ""
