"""experiment.xenium: the manifest of a Xenium output folder (JSON)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isthmus.errors import UserError
from isthmus.readers.signs import XENIUM_MANIFEST


@dataclass(frozen=True)
class Manifest:
    """What Isthmus uses of the manifest.

    software is as the file says it ('xenium-2.0.0.10'), version what was made of it ('2.0.0.10', or
    '4 (by its files)'). pixel_size_um is the side of a pixel of the full image; image is the path, from the
    folder, of the sharpest two-dimensional image where the file tells it.
    """

    software: str
    version: str
    pixel_size_um: float
    z_step_um: float | None
    n_cells: int | None
    image: str | None


def read_manifest(folder: Path, where: str) -> Manifest:
    """Read the manifest of a folder."""
    path = folder / XENIUM_MANIFEST
    if not path.is_file():
        raise UserError(
            where=where,
            found=f"there is no {XENIUM_MANIFEST}",
            do="name the folder that the instrument wrote, with all files",
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:
        found = f"{XENIUM_MANIFEST} is no readable JSON ({error})"
        raise UserError(where=where, found=found, do="copy it again from its source") from error
    if not isinstance(content, dict):
        found = f"{XENIUM_MANIFEST} holds no JSON object"
        raise UserError(where=where, found=found, do="copy it again from its source")
    size = _number(content, "pixel_size")
    if size is None:
        raise UserError(
            where=where, found=f"{XENIUM_MANIFEST} has no pixel_size", do="copy it again from its source"
        )
    cells = content.get("num_cells")
    software = str(content.get("analysis_sw_version", ""))
    return Manifest(
        software=software,
        version=_version(software, folder),
        pixel_size_um=size,
        z_step_um=_number(content, "z_step_size"),
        n_cells=cells if isinstance(cells, int) else None,
        image=_image(content),
    )


def _version(software: str, folder: Path) -> str:
    """The version that the manifest names ('xenium-2.0.0.10'), else the one that the files look like."""
    match = re.search(r"(\d+(?:\.\d+)+)", software)
    if match:
        return match.group(1)
    if list(folder.glob("morphology_focus/ch0000_*.ome.tif")):
        return "4 (by its files)"
    if (folder / "morphology_focus").is_dir():
        return "2 or 3 (by its files)"
    return "1 (by its files)"


def _number(content: dict[str, Any], key: str) -> float | None:
    value = content.get(key)
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _image(content: dict[str, Any]) -> str | None:
    images = content.get("images")
    path = images.get("morphology_focus_filepath") if isinstance(images, dict) else None
    return path if isinstance(path, str) and path else None
