"""Channels by their names."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.errors import UserError, did_you_mean


def find_channel(where: str, name: str, channels: Sequence[str]) -> int:
    """Index of the channel that the option `where` names; UserError if the image has none of this name."""
    if name not in channels:
        raise UserError(
            where=where,
            found=f"the image has no channel '{name}' (it has {', '.join(channels)})",
            do=did_you_mean(name, channels),
        )
    return list(channels).index(name)
