"""A finished run holds what the contract says, recomputed by plain numpy from the images and the transcripts."""

from __future__ import annotations

import json
import re

import anndata
import compare
import mudata
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import tifffile
import zarr
from conftest import Finished
from outline_check import area, assert_is_outline_of, decode
from skimage.measure import regionprops_table
from study import jobs_done

from isthmus.plan.model import RunPlan, SamplePlan, read_plan

RULES = [
    *("import_image", "import_transcripts", "survey_image", "segment_pack", "stitch_labels", "quantify_pack"),
    *("build_pyramid", "build_table", "build_outlines", "certify_seams", "assess_quality"),
    "join_modalities",
    *("integrate_cohort", "analyse", "annotate", "report"),
]
COLUMNS = [
    *("instance_id", "region", "sample", "area_um2", "nucleus_area_um2", "n_counts", "touches_seam"),
    *("touches_edge", "qc_pass"),
]


def plan_of(run: Finished) -> tuple[RunPlan, SamplePlan]:
    plan = read_plan(run.results / "plan.json")
    return plan, plan.sample(run.sample)


def cells_of(run: Finished) -> anndata.AnnData:
    return compare.cells(run.results, run.sample)


def test_every_file_of_the_contract_is_there(finished: Finished) -> None:
    expected = ["report.html", "plan.json", "metrics/resources.tsv", "cohort/cells.h5ad"]
    expected += [
        f"{finished.sample}/{name}"
        for name in (
            "seams.json",
            "cells.h5ad",
            "cells.h5mu",
            "cells.parquet",
            "transcripts.parquet",
            "image.ome.zarr",
        )
    ]
    assert [path for path in expected if not (finished.results / path).exists()] == []
    leftover = [
        p.name for p in finished.results.rglob("*") if "partial" in p.name or p.name.endswith(".part")
    ]
    assert leftover == []
    assert not (finished.results / "work" / "head.json").exists()


def test_the_run_says_where_report_and_cells_are(finished: Finished) -> None:
    assert str(finished.results / "report.html") in finished.ended.out
    assert str(finished.results / "cohort" / "cells.h5ad") in finished.ended.out
    n = sum(jobs_done(finished.results, 0.0).values())
    assert f"{n} of {n} jobs, 100%" in finished.ended.err
    assert f"{n} of {n} jobs, 100%" in (finished.results / "logs" / "isthmus.log").read_text()


def test_one_row_for_every_value_of_the_label_image(finished: Finished) -> None:
    table, image = cells_of(finished), compare.labels(finished.results, "cells", finished.sample)
    values = np.unique(image)
    assert table.obs["instance_id"].tolist() == values[values > 0].tolist()
    assert table.obs_names.tolist() == [f"{finished.sample}-{i}" for i in table.obs["instance_id"]]
    assert [name for name in COLUMNS if name not in table.obs] == []
    assert set(table.obs["sample"]) == {finished.sample}
    assert set(table.obs["region"]) == {"cells"}
    assert np.issubdtype(table.obs["instance_id"].dtype, np.integer)
    for name in ("touches_seam", "touches_edge", "qc_pass"):
        assert table.obs[name].dtype == bool


def test_modalities_are_those_of_the_table(finished: Finished) -> None:
    table = cells_of(finished)
    with mudata.set_options(pull_on_update=False):
        cells = mudata.read_h5mu(finished.results / finished.sample / "cells.h5mu")
    assert list(cells.mod) == ["rna", "intensity", "shape"]
    assert cells.obs_names.tolist() == table.obs_names.tolist()
    assert (cells["rna"].X != table.X).nnz == 0
    for name in ("intensity", "shape"):
        assert cells[name].var_names.tolist() == table.obsm[name].columns.tolist()
        np.testing.assert_array_equal(cells[name].X, table.obsm[name].to_numpy())


def test_ids_are_ranks_from_one_and_nuclei_lie_in_their_cells(finished: Finished) -> None:
    nuclei = compare.labels(finished.results, "nuclei", finished.sample)
    grown = compare.labels(finished.results, "cells", finished.sample)
    ids = cells_of(finished).obs["instance_id"].to_numpy()
    assert np.array_equal(ids, np.arange(1, ids.size + 1))
    assert np.array_equal(np.unique(nuclei), np.unique(grown))
    assert np.array_equal(nuclei[nuclei > 0], grown[nuclei > 0])
    # Roots are near the middle of their nuclei: ranks follow the rows as far as that goes.
    rows = regionprops_table(nuclei, properties=("centroid",))["centroid-0"]
    assert np.corrcoef(np.argsort(np.argsort(rows)), ids)[0, 1] > 0.99


def test_cells_reach_no_further_than_they_may(finished: Finished) -> None:
    from scipy.ndimage import distance_transform_edt

    nuclei = compare.labels(finished.results, "nuclei", finished.sample)
    grown = compare.labels(finished.results, "cells", finished.sample)
    plan, sample = plan_of(finished)
    distance = distance_transform_edt(nuclei == 0, sampling=sample.spacing_um[1:])
    assert np.array_equal(grown > 0, distance <= plan.settings["cells"]["expand_um"])


def test_areas_and_centroids_are_those_of_the_pixels(finished: Finished) -> None:
    table, (_, plan) = cells_of(finished), plan_of(finished)
    size, origin = plan.affine[0], np.array([plan.affine[2], plan.affine[5]])
    for name, column in (("cells", "area_um2"), ("nuclei", "nucleus_area_um2")):
        image = compare.labels(finished.results, name, finished.sample)
        pixels = np.bincount(image.reshape(-1))[table.obs["instance_id"]]
        np.testing.assert_allclose(table.obs[column], pixels * size**2, rtol=1e-12)
    image = compare.labels(finished.results, "cells", finished.sample)
    found = regionprops_table(image, properties=("centroid",))
    expected = origin + (np.column_stack([found["centroid-1"], found["centroid-0"]]) + 0.5) * size
    np.testing.assert_allclose(table.obsm["spatial"], expected, rtol=0, atol=1e-9)


def test_outlines_are_those_of_the_cells_in_the_frame_of_the_vendor(finished: Finished) -> None:
    table, (_, plan) = cells_of(finished), plan_of(finished)
    outlines = pq.read_table(finished.results / finished.sample / "cells.parquet")
    assert outlines["cell"].to_pylist() == table.obs_names.tolist()
    assert outlines["instance_id"].to_pylist() == table.obs["instance_id"].tolist()
    image = compare.labels(finished.results, "cells", finished.sample)
    size, x0, y0 = plan.affine[0], plan.affine[2], plan.affine[5]
    areas, around = [], []
    for number, wkb in zip(
        outlines["instance_id"].to_pylist(), outlines["geometry"].to_pylist(), strict=True
    ):
        polygons = decode(wkb)
        areas.append(area(polygons))
        points = [point for polygon in polygons for ring in polygon for point in ring]
        around.append([min(points, key=lambda p: p[k])[k] for k in (0, 1)])
        around[-1] += [max(points, key=lambda p: p[k])[k] for k in (0, 1)]
        if number % 20 == 0:
            pixels = [
                [[(round((x - x0) / size), round((y - y0) / size)) for x, y in r] for r in p]
                for p in polygons
            ]
            assert_is_outline_of(pixels, image == number)
    np.testing.assert_allclose(areas, table.obs["area_um2"], rtol=1e-9)
    found = regionprops_table(image, properties=("bbox",))
    for k, name in enumerate(("bbox-1", "bbox-0", "bbox-3", "bbox-2")):
        expected = (y0 if k % 2 else x0) + found[name] * size
        np.testing.assert_allclose(np.array(around)[:, k], expected, rtol=0, atol=1e-9)


def test_cells_at_seams_and_edges_are_marked(finished: Finished) -> None:
    table, (_, plan) = cells_of(finished), plan_of(finished)
    image = compare.labels(finished.results, "cells", finished.sample)
    ids = table.obs["instance_id"].to_numpy()
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert np.array_equal(table.obs["touches_edge"], np.isin(ids, edge))
    at_seam = []
    for axis, block in enumerate(plan.block_px[1:]):
        borders = np.arange(block, image.shape[axis], block)
        at_seam += [np.take(image, borders, axis), np.take(image, borders - 1, axis)]
    seams = np.concatenate([part.reshape(-1) for part in at_seam]) if at_seam else np.empty(0)
    assert np.array_equal(table.obs["touches_seam"], np.isin(ids, seams))


def test_the_certificate_tells_of_windows_across_seams(finished: Finished) -> None:
    table, (_, plan) = cells_of(finished), plan_of(finished)
    record = json.loads((finished.results / finished.sample / "seams.json").read_text())
    image = compare.labels(finished.results, "cells", finished.sample)
    assert record["differing_pixels"] == 0
    assert record["cells_at_seams"] == table.obs["touches_seam"].sum() > 0
    assert record["skipped"] == []
    assert len(record["windows"]) == 8
    seams = [range(edge, n, edge) for edge, n in zip(plan.block_px[1:], image.shape, strict=True)]
    for window in record["windows"]:
        y0, x0, y1, x1 = window["box_px"]
        assert window["differing_pixels"] == 0
        assert window["cells"] == np.unique(image[y0:y1, x0:x1]).size - (image[y0:y1, x0:x1] == 0).any()
        assert any(y0 < y < y1 for y in seams[0]) or any(x0 < x < x1 for x in seams[1])
    assert not (finished.results / "work" / finished.sample / "seams.failed.json").exists()


def test_intensities_are_those_of_regionprops(finished: Finished) -> None:
    table, (_, plan) = cells_of(finished), plan_of(finished)
    frame = table.obsm["intensity"]
    assert frame.index.equals(table.obs_names)
    image = zarr.open_array(finished.results / finished.sample / "image.ome.zarr" / "0", mode="r")[:]
    assert np.array_equal(np.squeeze(image), np.squeeze(tifffile.imread(plan.sheet["image"])))
    whole = compare.labels(finished.results, "cells", finished.sample)
    nuclei = compare.labels(finished.results, "nuclei", finished.sample)
    properties = ("label", "intensity_mean", "intensity_min", "intensity_max", "intensity_std")
    for place, channel in enumerate(plan.channels):
        for part, mask in (
            ("cell", whole),
            ("nucleus", nuclei),
            ("cytoplasm", np.where(nuclei > 0, 0, whole)),
        ):
            found = regionprops_table(mask, image[place].astype(np.float64), properties=properties)
            rows = found["label"] - 1
            for measure in ("mean", "min", "max", "std"):
                ours = frame[f"{channel}_{measure}_{part}"].to_numpy()
                np.testing.assert_allclose(ours[rows], found[f"intensity_{measure}"], rtol=1e-9, atol=1e-9)
                assert np.isnan(np.delete(ours, rows)).all()


def test_transcripts_keep_rows_and_order_of_the_input(finished: Finished) -> None:
    _, plan = plan_of(finished)
    source = str(plan.sheet["transcripts"])
    given = pd.read_parquet(source) if source.endswith(".parquet") else pd.read_csv(source)
    ours = compare.transcripts(finished.results, finished.sample).to_pandas()
    names = ["x_um", "y_um", "gene", "qv", "vendor_cell_id", "overlaps_nucleus", "instance_id", "compartment"]
    assert [name for name in ours.columns if name != "z_um"] == names
    assert len(ours) == len(given)
    for name, theirs in (("x_um", "x_location"), ("y_um", "y_location"), ("qv", "qv")):
        assert np.array_equal(ours[name], given[theirs].astype(ours[name].dtype))
    assert ours["gene"].astype(str).tolist() == given["feature_name"].astype(str).tolist()
    none = given["cell_id"].astype(str).isin(["-1", "UNASSIGNED"])
    assert np.array_equal(ours["vendor_cell_id"].isna(), none)
    assert ours["vendor_cell_id"][~none].tolist() == given["cell_id"].astype(str)[~none].tolist()
    assert np.array_equal(ours["overlaps_nucleus"], given["overlaps_nucleus"].astype(bool))
    assert set(ours["compartment"].unique()) <= {"nucleus", "cytoplasm", "none"}


def test_each_transcript_has_the_cell_and_compartment_under_it(finished: Finished) -> None:
    _, plan = plan_of(finished)
    ours = compare.transcripts(finished.results, finished.sample).to_pandas()
    size, x0, y0 = plan.affine[0], plan.affine[2], plan.affine[5]
    column = np.floor((ours["x_um"] - x0) / size).astype(int).to_numpy()
    row = np.floor((ours["y_um"] - y0) / size).astype(int).to_numpy()
    height, width = plan.shape[2:]
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    under = np.zeros((2, len(ours)), dtype=np.int64)
    for place, name in enumerate(("cells", "nuclei")):
        image = compare.labels(finished.results, name, finished.sample)
        under[place, inside] = image[row[inside], column[inside]]
    # A transcript on the very border of two pixels may fall to either side by rounding.
    near = np.abs((ours["x_um"] - x0) / size - np.round((ours["x_um"] - x0) / size)) < 1e-9
    near |= np.abs((ours["y_um"] - y0) / size - np.round((ours["y_um"] - y0) / size)) < 1e-9
    safe = ~near.to_numpy()
    assert safe.mean() > 0.99
    assert np.array_equal(ours["instance_id"].to_numpy()[safe], under[0][safe])
    expected = np.where(under[1] > 0, "nucleus", np.where(under[0] > 0, "cytoplasm", "none"))
    assert np.array_equal(ours["compartment"].astype(str).to_numpy()[safe], expected[safe])


def test_counts_are_those_of_the_transcripts(finished: Finished) -> None:
    table, (plan, _) = cells_of(finished), plan_of(finished)
    ours = compare.transcripts(finished.results, finished.sample).to_pandas()
    options = plan.settings["quantification"]
    patterns = re.compile("|".join(f"(?:{p})" for p in options["control_patterns"]))
    names = ours["gene"].astype(str)
    control = names.map(lambda name: patterns.match(name) is not None)
    good = (ours["qv"] >= options["min_qv"]) & (ours["instance_id"] > 0)
    ids = table.obs["instance_id"].to_numpy()

    def brute(chosen: pd.Series, columns: list[str]) -> np.ndarray:
        crossed = pd.crosstab(ours["instance_id"][chosen], names[chosen])
        return crossed.reindex(index=ids, columns=columns, fill_value=0).to_numpy()

    genes = sorted(set(names[~control]))
    assert table.var_names.tolist() == genes
    assert table.X.dtype == table.layers["counts"].dtype
    assert np.issubdtype(table.X.dtype, np.integer)
    counts = brute(good & ~control, genes)
    assert np.array_equal(table.X.toarray(), counts)
    assert np.array_equal(table.layers["counts"].toarray(), counts)
    in_nucleus = good & ~control & (ours["compartment"] == "nucleus")
    assert np.array_equal(table.layers["nucleus_counts"].toarray(), brute(in_nucleus, genes))
    assert np.array_equal(table.obs["n_counts"], counts.sum(axis=1))
    controls = table.obsm["controls"]
    assert sorted(controls.columns) == sorted(set(names[control]))
    assert np.array_equal(controls, brute(good & control, list(controls.columns)))
    low = ours[(ours["qv"] < options["min_qv"]) & (ours["instance_id"] > 0)].groupby("instance_id").size()
    assert np.array_equal(table.obs["n_low_quality"], low.reindex(ids, fill_value=0))


def test_quality_marks_and_cohort_hold_the_cells_that_pass(finished: Finished) -> None:
    table, (plan, _) = cells_of(finished), plan_of(finished)
    limits = plan.settings["analysis"]["quality"]
    counts = table.layers["counts"].toarray()
    controls = table.obsm["controls"].sum(axis=1).to_numpy()
    total = counts.sum(axis=1) + controls
    share = np.divide(controls, total, out=np.zeros(total.size), where=total > 0)
    passes = (counts.sum(axis=1) >= limits["min_counts"]) & ((counts > 0).sum(axis=1) >= limits["min_genes"])
    passes &= share <= limits["max_control_fraction"]
    assert np.array_equal(table.obs["qc_pass"], passes)
    cohort = anndata.read_h5ad(finished.results / "cohort" / "cells.h5ad")
    kept = table[table.obs["qc_pass"].to_numpy()]
    assert cohort.obs_names.tolist() == kept.obs_names.tolist()
    assert (cohort.layers["counts"] != kept.layers["counts"]).nnz == 0
    assert np.array_equal(cohort.obsm["spatial"], kept.obsm["spatial"])
    assert {"leiden", "qc_pass"} <= set(cohort.obs)
    assert cohort.obsm["X_umap"].shape == (cohort.n_obs, 2)
    assert np.isfinite(cohort.obsm["X_umap"]).all()


def test_uns_tells_version_digest_and_parameters(finished: Finished) -> None:
    table, (plan, sample) = cells_of(finished), plan_of(finished)
    record = table.uns["isthmus"]
    assert record["version"] == plan.isthmus
    assert record["digest"] in sample.digests.values()
    known = ("image", "segmentation", "cells", "quantification")
    assert json.loads(record["parameters"]) == {name: plan.settings[name] for name in known}
    assert record["quality"]["min_counts"] == plan.settings["analysis"]["quality"]["min_counts"]


def test_images_are_ome_zarr_that_can_be_placed(finished: Finished) -> None:
    _, plan = plan_of(finished)
    root = finished.results / finished.sample / "image.ome.zarr"
    size, x0, y0 = plan.affine[0], plan.affine[2], plan.affine[5]
    for folder, n_axes in ((root, 3), (root / "labels" / "cells", 2), (root / "labels" / "nuclei", 2)):
        ome = dict(zarr.open_group(folder, mode="r").attrs)["ome"]
        assert ome["version"] == "0.5"
        scales = ome["multiscales"][0]
        assert [axis["name"] for axis in scales["axes"]][-2:] == ["y", "x"]
        assert [axis["unit"] for axis in scales["axes"] if axis["type"] == "space"] == ["micrometer"] * 2
        assert [data["path"] for data in scales["datasets"]] == [
            str(n) for n in range(len(scales["datasets"]))
        ]
        on_disk = sorted(path.name for path in folder.iterdir() if path.name.isdigit())
        assert on_disk == [data["path"] for data in scales["datasets"]]
        for level, data in enumerate(scales["datasets"]):
            array = zarr.open_array(folder / data["path"], mode="r")
            assert array.ndim == n_axes
            assert array.shape[-2:] == tuple(-(-n // 2**level) for n in plan.shape[2:])
            scale, shift = (data["coordinateTransformations"][i] for i in (0, 1))
            np.testing.assert_allclose(scale["scale"][-2:], [size * 2**level] * 2)
            centre = size * 2**level / 2
            np.testing.assert_allclose(shift["translation"][-2:], [y0 + centre, x0 + centre])
    assert dict(zarr.open_group(root / "labels", mode="r").attrs)["ome"]["labels"] == ["nuclei", "cells"]
    ome = dict(zarr.open_group(root, mode="r").attrs)["ome"]
    assert [channel["label"] for channel in ome["omero"]["channels"]] == list(plan.channels)


def test_coarser_levels_are_made_of_the_finer(finished: Finished) -> None:
    root = finished.results / finished.sample / "image.ome.zarr"
    for name in ("nuclei", "cells"):
        finest = compare.labels(finished.results, name, finished.sample)
        coarse = compare.labels(finished.results, name, finished.sample, level=1)
        assert np.isin(coarse, finest).all()
        padding = [(0, n % 2) for n in finest.shape]
        even = np.pad(finest, padding, mode="edge")
        around = np.stack([even[dy::2, dx::2] for dy in (0, 1) for dx in (0, 1)])
        assert (around == coarse).any(axis=0).all()
    fine, coarse = (zarr.open_array(root / str(n), mode="r")[:].astype(float) for n in (0, 1))
    height, width = (n // 2 for n in fine.shape[1:])
    means = fine[:, : height * 2, : width * 2].reshape(fine.shape[0], height, 2, width, 2).mean(axis=(2, 4))
    assert np.abs(coarse[:, :height, :width] - means).max() <= 1


def test_no_shard_is_written_for_nothing_and_blocks_are_shards(finished: Finished) -> None:
    _, plan = plan_of(finished)
    for name in ("nuclei", "cells"):
        folder = finished.results / finished.sample / "image.ome.zarr" / "labels" / name / "0"
        assert zarr.open_array(folder, mode="r").shards == plan.block_px[1:]
        image = compare.labels(finished.results, name, finished.sample)
        edge = plan.block_px[1]
        filled = {
            (y // edge, x // edge)
            for y in range(0, image.shape[0], edge)
            for x in range(0, image.shape[1], edge)
            if image[y : y + edge, x : x + edge].any()
        }
        files = {
            tuple(int(part) for part in path.relative_to(folder / "c").parts)
            for path in (folder / "c").rglob("*")
            if path.is_file()
        }
        assert files == filled


def test_the_plan_foresees_every_rule(finished: Finished) -> None:
    plan = json.loads((finished.results / "plan.json").read_text())
    assert sorted(plan["rules"]) == sorted(RULES)
    for rule, foreseen in plan["rules"].items():
        assert foreseen["jobs"] >= 1, rule
        for name in ("memory_mb", "minutes", "core_hours", "files"):
            assert foreseen[name] > 0, (rule, name)


def test_every_job_has_a_row_in_the_table_of_resources(finished: Finished) -> None:
    table = pd.read_csv(finished.results / "metrics" / "resources.tsv", sep="\t", dtype={"pack": str})
    columns = ["rule", "sample", "pack", "cpu_s", "wall_s", "max_rss_mb", "files", "attempt"]
    assert table.columns.tolist() == columns
    done = jobs_done(finished.results, 0.0)
    assert table["rule"].value_counts().to_dict() == {rule: n for rule, n in done.items() if rule != "report"}
    assert (table["attempt"] == 1).all()
    assert (table[["cpu_s", "max_rss_mb", "files"]] > 0).all(axis=None)
    assert table["max_rss_mb"].max() < 2000
    n_files = sum(1 for path in finished.results.rglob("*") if path.is_file() and "logs" not in path.parts)
    plan = json.loads((finished.results / "plan.json").read_text())
    foreseen = sum(rule["files"] for rule in plan["rules"].values())
    assert n_files / 3 < foreseen < n_files * 3


def test_the_report_opens_offline_and_shows_numbers_of_the_table(finished: Finished) -> None:
    page = (finished.results / "report.html").read_text()
    fetched = re.findall(r"""(?:src|href)\s*=\s*["']((?!data:|#)[^"']+)["']""", page)
    loaded = [address for address in fetched if not address.startswith(("http://", "https://"))]
    assert loaded == []
    assert re.findall(r"<(?:script|link|img|iframe|image)\b[^>]*(?:src|href)\s*=\s*[\"']https?:", page) == []
    assert not re.search(r"@import|url\(\s*['\"]?https?:", page)
    assert "{{" not in page
    assert "Traceback" not in page
    n = cells_of(finished).n_obs
    assert f"{n:,}" in page or str(n) in page
    assert finished.sample in page
