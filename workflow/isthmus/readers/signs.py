"""By which files a vendor's folder is known. Looks at names only: a worker asks this of every sample."""

from __future__ import annotations

import re
from pathlib import Path

XENIUM_MANIFEST = "experiment.xenium"
MERSCOPE_TRANSFORM = "micron_to_mosaic_pixel_transform.csv"
MERSCOPE_IMAGE_FOLDERS = ("images", "input_images", ".")
COSMX_POSITIONS = "fov_positions_file.csv"
SPACERANGER_SCALES = "spatial/scalefactors_json.json"
SPACERANGER_BINS = "binned_outputs"
IMAGEXPRESS_NAME = re.compile(
    r"(?P<plate>.+?)_(?P<well>[A-Z]{1,2}\d{1,2})(?:_s(?P<site>\d+))?(?:_w(?P<wave>\d))?(?P<thumb>_thumb)?"
    r"(?P<unique>[0-9A-F]{8}-[0-9A-F-]{27})?\.tiff?",
    re.IGNORECASE,
)
IMAGEXPRESS_STEP = re.compile(r"ZStep_(\d+)", re.IGNORECASE)


def is_xenium_folder(path: Path) -> bool:
    """Whether a path is a Xenium output folder, or its manifest."""
    return (path / XENIUM_MANIFEST).is_file() or path.name == XENIUM_MANIFEST


def is_merscope_folder(path: Path) -> bool:
    """Whether a path is a MERSCOPE region."""
    return any((path / folder / MERSCOPE_TRANSFORM).is_file() for folder in MERSCOPE_IMAGE_FOLDERS)


def is_cosmx_folder(path: Path) -> bool:
    """Whether a path is a flat-file export of CosMx."""
    return path.is_dir() and any(path.glob(f"*{COSMX_POSITIONS}*"))


def is_spaceranger_folder(path: Path) -> bool:
    """Whether a folder is an output folder (`outs`) of Space Ranger, of Visium or Visium HD."""
    return (path / SPACERANGER_SCALES).is_file() or (path / SPACERANGER_BINS).is_dir()


def is_imagexpress_folder(path: Path) -> bool:
    """Whether a path is a plate's folder: it has an HTD file and pictures named as here, or steps of z with them."""
    if not path.is_dir():
        return False
    beside = [file for file in path.iterdir() if IMAGEXPRESS_NAME.fullmatch(file.name)]
    steps = [folder for folder in path.iterdir() if IMAGEXPRESS_STEP.fullmatch(folder.name)]
    return any(path.glob("*.[Hh][Tt][Dd]")) or bool(beside and steps)
