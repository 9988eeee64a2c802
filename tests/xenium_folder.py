"""Synthetic Xenium output folders, laid out as the versions of the instrument's software lay them out.

Sources of the layouts: docs/readers.md. No file here comes from an instrument.
"""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import tifffile
import zarr
from zarr.storage import ZipStore

PIXEL_SIZE_UM = 0.2125
STAINS = ("DAPI", "ATP1A1/CD45/E-Cadherin", "18S", "AlphaSMA/Vimentin")
IMAGE_NAMES = {
    2: tuple(f"morphology_focus_{number:04}.ome.tif" for number in range(4)),
    4: (
        "ch0000_dapi.ome.tif",
        "ch0001_atp1a1_cd45_e-cadherin.ome.tif",
        "ch0002_18s.ome.tif",
        "ch0003_alphasma_vimentin.ome.tif",
    ),
}
IMAGE_NAMES[3] = IMAGE_NAMES[2]
SOFTWARE = {1: "xenium-1.3.0.5", 2: "xenium-2.0.0.10", 3: "xenium-3.1.0.0", 4: "R&D"}
XML = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{uuid}">'
    '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="{width}" '
    'SizeY="{height}" SizeC="{n}" SizeZ="1" SizeT="1" PhysicalSizeX="{size}" PhysicalSizeY="{size}">'
    "{channels}{data}</Pixels></Image></OME>"
)


def write_xenium_folder(
    folder: Path,
    version: int,
    *,
    transcripts: str = "transcripts.parquet",
    n_stains: int = 4,
    n_transcripts: int = 50,
    shape: tuple[int, int] = (64, 96),
) -> np.ndarray:
    """Write a folder as XOA `version` (1 to 4) lays it out; returns the image (c, y, x).

    transcripts names the one table of transcripts that is written.
    """
    rng = np.random.default_rng(version)
    n_stains = 1 if version == 1 else n_stains
    image = rng.integers(0, 4000, (n_stains, *shape)).astype("uint16")
    folder.mkdir(parents=True, exist_ok=True)
    images = {1: "morphology_focus.ome.tif", 4: "morphology_focus/ch0000_dapi.ome.tif"}
    manifest = {
        "major_version": version,
        "run_name": "test",
        "analysis_sw_version": SOFTWARE[version],
        "pixel_size": PIXEL_SIZE_UM,
        "z_step_size": 3.0,
        "num_cells": 7,
        "images": {
            "morphology_focus_filepath": images.get(version, "morphology_focus/morphology_focus_0000.ome.tif")
        },
    }
    (folder / "experiment.xenium").write_text(json.dumps(manifest))
    if version == 1:
        options = {
            "tile": (32, 32),
            "metadata": {"PhysicalSizeX": PIXEL_SIZE_UM, "PhysicalSizeY": PIXEL_SIZE_UM},
        }
        tifffile.imwrite(folder / "morphology_focus.ome.tif", image[0], **options)
        tifffile.imwrite(folder / "morphology_mip.ome.tif", image[0] + 1, **options)
    else:
        (folder / "morphology_focus").mkdir()
        multi_file_ome(folder / "morphology_focus", IMAGE_NAMES[version], image, STAINS)
    table = transcript_table(rng, version, n_transcripts, shape)
    write_transcripts(folder / transcripts, table)
    for name in ("cells", "nucleus_boundaries", "cell_boundaries"):
        pq.write_table(pa.table({"cell_id": np.arange(7)}), folder / f"{name}.parquet")
    return image


def transcript_table(rng: np.random.Generator, version: int, n: int, shape: tuple[int, int]) -> pa.Table:
    """Transcripts: before 2.0 names are byte strings; before 1.3 (here: 1) cells are numbers, -1 for none."""
    genes = rng.choice(["EPCAM", "CD3E", "NegControlProbe_00042"], n)
    if version == 1:
        cells = pa.array(rng.choice([-1, 12, 13], n).astype("int32"))
    else:
        cells = pa.array(rng.choice(["UNASSIGNED", "aaaaaaab-1", "ffkpbaba-1"], n))
    return pa.table(
        {
            "transcript_id": pa.array(np.arange(n).astype("uint64") + 281474976710656),
            "cell_id": cells,
            "overlaps_nucleus": pa.array(rng.integers(0, 2, n).astype("uint8")),
            "feature_name": pa.array([gene.encode() for gene in genes] if version == 1 else list(genes)),
            "x_location": pa.array((rng.random(n) * shape[1] * PIXEL_SIZE_UM).astype("float32")),
            "y_location": pa.array((rng.random(n) * shape[0] * PIXEL_SIZE_UM).astype("float32")),
            "z_location": pa.array((rng.random(n) * 20).astype("float32")),
            "qv": pa.array(rng.choice([9.5, 40.0], n).astype("float32")),
        }
    )


def write_transcripts(path: Path, table: pa.Table) -> None:
    """Write the table in the format that the name tells."""
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=20)
    elif path.name.endswith(".csv.gz"):
        text = table.set_column(3, "feature_name", table["feature_name"].cast(pa.string()))
        with gzip.open(path, "wb") as file:
            pyarrow.csv.write_csv(text, file)
    else:
        write_zarr_transcripts(path, table)


def write_zarr_transcripts(path: Path, table: pa.Table, tile_um: float = 10.0) -> None:
    """Zarr 2 in a zip, a group a tile, with a thinned copy as level 1."""
    genes = sorted(set(table["feature_name"].cast(pa.string()).to_pylist()))
    numbers = np.array([genes.index(gene) for gene in table["feature_name"].cast(pa.string()).to_pylist()])
    location = np.stack([table[f"{axis}_location"].to_numpy() for axis in "xyz"], axis=1)
    tiles = (location[:, :2] // tile_um).astype(int)
    keys = sorted({(int(column), int(row)) for column, row in tiles})
    with ZipStore(path, mode="w", compression=zipfile.ZIP_STORED) as store:
        root = zarr.open_group(store, mode="w", zarr_format=2, attributes={"gene_names": genes})
        names = [f"{column},{row}" for column, row in keys]
        attributes = {"grid_keys": [names, ["0,0"]], "grid_size": [tile_um]}
        grids = root.create_group("grids", attributes=attributes)
        for (column, row), name in zip(keys, names, strict=True):
            inside = (tiles == (column, row)).all(axis=1)
            tile = grids.create_group(f"0/{name}")
            tile.create_array("location", data=location[inside].astype("float32"))
            tile.create_array("gene_identity", data=numbers[inside, None].astype("uint16"))
            tile.create_array("quality_score", data=table["qv"].to_numpy()[inside, None])
        grids.create_group("1/0,0").create_array("location", data=location[:3])


def multi_file_ome(
    folder: Path, names: Sequence[str], image: np.ndarray, stains: Sequence[str] | None = None
) -> list[Path]:
    """One JPEG 2000 file a channel, each with the OME-XML of all, as Xenium writes them since 2.0."""
    n, height, width = image.shape
    stains = stains or [f"stain {channel}" for channel in range(n)]
    uuids = [f"urn:uuid:0000000{channel}-0000-0000-0000-000000000000" for channel in range(n)]
    channels = "".join(
        f'<Channel ID="Channel:0:{channel}" Name="{stains[channel]}" SamplesPerPixel="1"/>'
        for channel in range(n)
    )
    data = "".join(
        f'<TiffData FirstC="{channel}" FirstT="0" FirstZ="0" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{names[channel]}">{uuids[channel]}</UUID></TiffData>'
        for channel in range(n)
    )
    facts = {"width": width, "height": height, "n": n, "size": PIXEL_SIZE_UM}
    for channel in range(n):
        tifffile.imwrite(
            folder / names[channel],
            image[channel],
            description=XML.format(uuid=uuids[channel], channels=channels, data=data, **facts),
            metadata=None,
            tile=(32, 32),
            compression="jpeg2000",
        )
    return [folder / name for name in names[:n]]


def write_outlines(
    path: Path, outlines: Sequence[tuple[object, int, np.ndarray]], *, label_id: bool = True
) -> None:
    """Write outlines (cell, number of the outline, vertices x (x, y) in micrometres), closed, as Parquet or CSV."""
    closed = [np.concatenate([xy_um, xy_um[:1]]) for _, _, xy_um in outlines]
    sizes = [len(xy_um) for xy_um in closed]
    xy_um = np.concatenate([np.empty((0, 2)), *closed])
    cells = [cell for (cell, _, _), size in zip(outlines, sizes, strict=True) for _ in range(size)]
    columns = {
        "cell_id": pa.array(cells, None if cells else pa.string()),
        "vertex_x": pa.array(xy_um[:, 0].astype("float32")),
        "vertex_y": pa.array(xy_um[:, 1].astype("float32")),
    }
    if label_id:
        columns["label_id"] = pa.array(
            np.repeat([number for _, number, _ in outlines], sizes).astype("uint32")
        )
    table = pa.table(columns)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        with gzip.open(path, "wb") as file:
            pyarrow.csv.write_csv(table, file)
