"""Options that are right by themselves, but say nothing beside the others."""

from __future__ import annotations

from isthmus.config.models import CellsOptions, GuideOptions


def notes_of(options: CellsOptions) -> tuple[str, ...]:
    """One line for every option of cells that is given and not used."""
    guide, default = options.guide, GuideOptions()
    if guide.channel is None:
        unused = [name for name in ("kind", "weight") if getattr(guide, name) != getattr(default, name)]
        return tuple(
            f"cells.guide.{name} is not used; name a channel with cells.guide.channel" for name in unused
        )
    if options.expand_um == 0:
        return ("cells.guide.channel is not used, for cells do not grow; give cells.expand_um more than 0",)
    return ()
