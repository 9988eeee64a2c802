"""Values that only a new result version may change.

A step's result is found again by its digest, and the digest holds a version number, not the code. So a change of the
code that changes values must raise the number: this is the test that says so. After raising it, write the new line that
the failure shows into GOLDEN.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pytest
from binned import bin_points
from block_store import Finished, PixelsAreLandscape, run_blocks
from synthetic import Tissue

from isthmus.image.affine import Affine
from isthmus.image.pyramid import halve
from isthmus.image.survey import ChannelSurvey
from isthmus.plan.digests import RESULT_VERSIONS
from isthmus.quantify.measure import Measures
from isthmus.segment.basins import BasinsMethod, BasinsSettings, derive_parameters
from isthmus.tables.cells import cell_index, make_table
from isthmus.tables.counts import count_tables
from isthmus.tables.outline_pieces import OutlinePieces
from isthmus.tables.wkb import encode

SHAPE = (220, 260)
N_GENES = 7
MEASURES = Measures((50.0, 97.5), texture=True)

GOLDEN = {
    "survey_image": (2, "1cc5270937fc008b"),
    "segment_pack": (5, "fe750b161e94dcbb"),
    "stitch_labels": (3, "bcfd84c4fb300b58"),
    "quantify_pack": (7, "05c50826e19913f3"),
    "build_pyramid": (1, "fa81a65e4d60fea2"),
    "build_outlines": (1, "ee096cf5510a22f4"),
    "build_table": (6, "014fef55deafadec"),
}


@pytest.fixture(scope="module")
def image() -> npt.NDArray[np.uint16]:
    return np.concatenate(
        [Tissue(seed=seed, pitch_px=18, radius_px=(4.5, 8.5)).image(SHAPE) for seed in (1, 2)]
    )


@pytest.fixture(scope="module")
def finished(image: npt.NDArray[np.uint16], tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Both passes with a method that never changes, so that each step has values of its own."""
    folder = tmp_path_factory.mktemp("golden")
    points = Tissue(seed=1, pitch_px=18, radius_px=(4.5, 8.5)).transcripts(SHAPE, n_genes=N_GENES)
    n = points["y"].size
    columns = points | {"qv": np.where(np.arange(n) % 9, 30.0, 10.0)}
    bin_points(folder / "points", columns, (1, *SHAPE))
    return run_blocks(
        folder,
        image,
        (1, 128, 128),
        method=PixelsAreLandscape(merge_radius_px=(0.0, 6.0, 6.0), above=400),
        min_area_px=24,
        spacing_um=(1.0, 0.5, 0.5),
        points=folder / "points",
        n_features=N_GENES,
        measures=MEASURES,
    )


def found(step: str, finished: Finished, image: npt.NDArray[np.uint16]) -> str:
    """Digest of what a step makes of the image."""
    survey = ChannelSurvey(np.bincount(image[0].reshape(-1), minlength=65_536).astype(np.int64))
    if step == "survey_image":
        return _digest(np.array([survey.percentile(q) for q in (0.1, 1, 25, 50, 99, 99.9)]))
    if step == "segment_pack":
        parameters = derive_parameters(BasinsSettings(), pixel_size_um=(1.0, 0.5, 0.5), survey=survey)
        return _digest(BasinsMethod(channel=0, parameters=parameters).landscape(image[0]))
    if step == "stitch_labels":
        return _digest(finished.nuclei)
    if step == "quantify_pack":
        names = ("ids", "shape", "bounds", "intensity", "extremes", "border", "pairs")
        sums = [getattr(finished.sums, name) for name in names]
        counts = [getattr(finished.counts, name) for name in ("start", "feature", "counts", "n_low_quality")]
        # The logarithm's last digit may differ between machines.
        entropy = np.round(finished.completed.entropy, 9)
        completed = [finished.completed.ranks, finished.completed.convex, entropy]
        return _digest(finished.cells, *counts, *sums, *completed)
    if step == "build_pyramid":
        return _digest(halve(image[0], "mean"), halve(finished.cells, "nearest"))
    return _outlines(finished) if step == "build_outlines" else _table(finished)


def _outlines(finished: Finished) -> str:
    with TemporaryDirectory() as folder:
        pieces = OutlinePieces(Path(folder, "pieces"), finished.records)
        (batch,) = pieces.batches(pieces.ids.size)
    made = encode(batch.code, batch.bounds, batch.origin, Affine.from_size(0.5, 100.0, 50.0))
    return _digest(batch.ids, made.bounds, made.wkb)


def _table(finished: Finished) -> str:
    genes = [f"gene_{k}" for k in range(N_GENES)]
    counts = count_tables(
        finished.counts,
        features=genes,
        control_patterns=["gene_6"],
        index=cell_index("golden", finished.sums),
    )
    table = make_table(
        finished.sums,
        counts,
        sample="golden",
        channels=["a", "b"],
        affine=Affine.from_size(0.5, 100.0, 50.0),
        z_step_um=1.0,
        is_volume=False,
        columns={},
        record={},
        completed=finished.completed,
        measures=MEASURES,
        backgrounds=[200, 180],
    )
    numbers = table.obs.drop(columns=["region", "sample", "touches_seam"]).to_numpy(np.float64)
    frames = [table.obsm[name].to_numpy() for name in ("intensity", "shape", "texture")]
    floats = [numbers, *frames, table.obsm["spatial"]]
    # Nine digits: the last ones of a square root or an arc tangent may differ between machines.
    texts = ["\n".join(f"{value:.9g}" for value in part.reshape(-1)) for part in floats]
    return _digest(table.X.toarray(), np.frombuffer("\n".join(texts).encode(), dtype=np.uint8))


def _digest(*arrays: npt.NDArray[np.generic]) -> str:
    summed = hashlib.sha256()
    for array in arrays:
        summed.update(f"{array.dtype.kind}{array.shape}".encode())
        summed.update(
            np.ascontiguousarray(array.astype(np.int64) if array.dtype.kind in "biu" else array).tobytes()
        )
    return summed.hexdigest()[:16]


@pytest.mark.parametrize("step", GOLDEN)
def test_values_change_only_with_the_version(step, finished, image):
    now = (RESULT_VERSIONS[step], found(step, finished, image))
    assert GOLDEN[step] == now, (
        f'values of {step} changed: raise its result version, then note "{step}": {now}'
    )


def test_the_sample_is_worth_it(finished):
    assert finished.lookup.n_instances > 100
    assert finished.counts.n_low_quality.sum() > 50  # some are of low quality
