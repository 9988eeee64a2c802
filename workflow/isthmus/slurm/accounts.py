"""Accounts, partitions and qualities of service that a user may use."""

from __future__ import annotations

import getpass

from isthmus.errors import UserError, did_you_mean
from isthmus.slurm.commands import NotAnswering, ask


def accounts_of_user() -> set[str]:
    """Accounts that jobs of this user may name; empty where Slurm does not tell."""
    try:
        text = ask(
            "sacctmgr",
            "--noheader",
            "--parsable2",
            "show",
            "associations",
            f"user={getpass.getuser()}",
            "format=account",
        )
    except NotAnswering:
        return set()
    return {line.strip() for line in text.splitlines() if line.strip()}


def check_account(account: str) -> None:
    """Refuse an account that Slurm says this user does not have; accounts are not told apart by case."""
    known = accounts_of_user()
    if known and account.lower() not in {name.lower() for name in known}:
        raise UserError(
            where="--account",
            found=f"{getpass.getuser()} has no account '{account}' in Slurm",
            do=did_you_mean(account, known),
        )


def partitions() -> set[str]:
    """Partitions of the cluster; empty where Slurm does not tell."""
    try:
        return set(ask("sinfo", "--noheader", "--all", "--format=%R").split())
    except NotAnswering:
        return set()


def check_partition(name: str) -> None:
    """Refuse a partition that the cluster does not have."""
    known = partitions()
    if known and name not in known:
        raise UserError(
            where="slurm_partition",
            found=f"this cluster has no partition '{name}'",
            do=did_you_mean(name, known),
        )


def check_qos(name: str) -> None:
    """Refuse a quality of service that Slurm does not know."""
    try:
        text = ask("sacctmgr", "--noheader", "--parsable2", "show", "qos", "format=name")
    except NotAnswering:
        return
    known = {line.strip() for line in text.splitlines() if line.strip()}
    if known and name not in known:
        raise UserError(where="qos", found=f"Slurm knows no QOS '{name}'", do=did_you_mean(name, known))
