"""A small sample with everything that a real one has: two channels, genes, controls, qualities, a vendor's cells."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import tifffile
from synthetic import Tissue, uniform

PIXEL_SIZE_UM = 0.2125
ORIGIN_UM = (1000.0, 200.0)
CHANNELS = ("DAPI", "membrane")
SHAPE = (700, 900)
TISSUE = Tissue(seed=3, pitch_px=64, radius_px=(15.0, 25.0))
GENES = [f"GENE{number:02}" for number in range(24)]
CONTROLS = ["NegControlProbe_00001", "BLANK_0002"]


@cache
def image_of(shape: tuple[int, int] = SHAPE, tissue: Tissue = TISSUE) -> npt.NDArray[np.uint16]:
    """Both channels (c, y, x), made once and not to be written to."""
    pixels = tissue.image(shape, n_channels=2)[:, 0]
    pixels.flags.writeable = False
    return pixels


def write_image(path: Path, pixels: npt.NDArray[np.generic]) -> Path:
    """An OME-TIFF, tiled and compressed."""
    tifffile.imwrite(
        path,
        pixels,
        ome=True,
        tile=(128, 128),
        compression="zlib",
        photometric="minisblack",
        metadata={"axes": "CYX", "Channel": {"Name": list(CHANNELS[: pixels.shape[0]])}},
    )
    return path


@cache
def transcripts_of(
    shape: tuple[int, int] = SHAPE, tissue: Tissue = TISSUE, *, per_nucleus: int = 55, keep: float = 0.9
) -> pa.Table:
    """Transcripts in a vendor's words: cells of one kind express the first genes, those of the other the last.

    One in 25 is a control, one in ten of low quality; some lie outside the image.
    """
    found = tissue.transcripts(shape, per_nucleus=per_nucleus, n_genes=1000)
    n = found["y"].size
    row = np.arange(n)
    kind = uniform(91, found["cell"]) < 0.5
    half = len(GENES) // 2
    drawn = (uniform(92, row) ** 2 * half).astype(int)
    gene = np.where(kind & (found["cell"] > 0), drawn, half + drawn)
    gene = np.where(uniform(93, row) < 0.2, (uniform(94, row) * len(GENES)).astype(int), gene)
    names = np.array(GENES + CONTROLS, dtype=object)
    gene = np.where(uniform(95, row) < 0.04, len(GENES) + (uniform(96, row) * 2).astype(int), gene)
    x = ORIGIN_UM[0] + (found["x"] + uniform(97, row)) * PIXEL_SIZE_UM
    y = ORIGIN_UM[1] + (found["y"] + uniform(98, row)) * PIXEL_SIZE_UM
    outside = uniform(99, row) < 0.01
    x = np.where(outside, ORIGIN_UM[0] - 3.0, x)
    qv = np.where(uniform(100, row) < 0.1, 12.5, 32.0)
    vendor = np.where(found["cell"] > 0, found["cell"].astype(str), "UNASSIGNED")
    table = pa.table(
        {
            "transcript_id": pa.array(row),
            "cell_id": pa.array(list(vendor)),
            "overlaps_nucleus": pa.array((found["cell"] > 0).astype("int8")),
            "feature_name": pa.array(list(names[gene])),
            "x_location": pa.array(x),
            "y_location": pa.array(y),
            "qv": pa.array(qv.astype("float32")),
        }
    )
    return table.filter(pa.array(uniform(101, row) < keep))


def write_transcripts(path: Path, table: pa.Table) -> Path:
    """CSV or Parquet, as the name tells."""
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        pyarrow.csv.write_csv(table, path)
    return path


def write_sample(folder: Path, name: str = "a", tissue: Tissue = TISSUE) -> dict[str, str]:
    """Files of a sample in a folder, and its row of the sample sheet."""
    folder.mkdir(parents=True, exist_ok=True)
    write_image(folder / f"{name}.ome.tif", image_of(tissue=tissue))
    write_transcripts(folder / f"{name}.parquet", transcripts_of(tissue=tissue))
    return {
        "sample": name,
        "image": f"{name}.ome.tif",
        "transcripts": f"{name}.parquet",
        "pixel_size_um": str(PIXEL_SIZE_UM),
        "origin_x_um": str(ORIGIN_UM[0]),
        "origin_y_um": str(ORIGIN_UM[1]),
    }
