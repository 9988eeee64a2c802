"""The SpatialData view of docs/spatialdata.md, run as it stands there by a Python that has spatialdata.

spatialdata does not fit the lock: name such a Python in ISTHMUS_SPATIALDATA_PYTHON.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import Finished
from study import REPOSITORY

PYTHON = os.environ.get("ISTHMUS_SPATIALDATA_PYTHON", "")
CHECK = """
from spatialdata.transformations import get_transformation

sdata = view({results!r}, {sample!r})
table, ids = sdata["table"], sdata["table"].obs["instance_id"]
of_pixels = spatialdata.get_centroids(sdata["cells"], coordinate_system="global").compute().loc[ids, ["x", "y"]]
outlines = spatialdata.transform(sdata["outlines"], to_coordinate_system="global").loc[ids]
box = dict(axes=("x", "y"), min_coordinate=[1020, 220], max_coordinate=[1080, 260], target_coordinate_system="global")
part = spatialdata.bounding_box_query(sdata.subset(["cells", "outlines", "table"]), **box)
x, y = table.obsm["spatial"].T
print(json.dumps({{
    "elements": sorted(name for _, name, _ in sdata.gen_elements()),
    "lazy": "dask" in type(sdata["image"]["scale0"]["image"].data).__module__,
    "far_um": float(np.abs(of_pixels.to_numpy() - table.obsm["spatial"]).max()),
    "area_off": float(np.abs(outlines.area.to_numpy() - table.obs["area_um2"].to_numpy()).max()),
    "n_cells": len(ids),
    "n_part": part["table"].n_obs,
    "n_inside": int(((x > 1020) & (x < 1080) & (y > 220) & (y < 260)).sum()),
    "n_rows": len(sdata["transcripts"]),
    "levels": [
        get_transformation(sdata[name]).to_affine_matrix(("x", "y"), ("x", "y")).tolist()
        for name in ("image", "cells")
    ],
}}))
"""


def code() -> str:
    """The view as the page has it."""
    page = (REPOSITORY / "docs" / "spatialdata.md").read_text()
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]


def test_the_page_holds_code_that_defines_the_view() -> None:
    names = {node.name for node in ast.parse(code()).body if isinstance(node, ast.FunctionDef)}
    assert {"view", "levels"} <= names


@pytest.mark.skipif(not PYTHON, reason="no Python with spatialdata is named in ISTHMUS_SPATIALDATA_PYTHON")
def test_elements_lie_over_each_other(small_run: Finished, tmp_path: Path) -> None:
    script = tmp_path / "view.py"
    script.write_text(code() + CHECK.format(results=str(small_run.results), sample=small_run.sample))
    ended = subprocess.run([PYTHON, script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["elements"] == ["cells", "image", "nuclei", "outlines", "table", "transcripts"]
    assert found["lazy"]
    assert found["far_um"] < 1e-6
    assert found["area_off"] < 1e-6
    assert found["n_inside"] - 2 <= found["n_part"] <= found["n_inside"] + 30  # cells at the border are in
    assert found["n_part"] < found["n_cells"]
    transcripts = small_run.results / small_run.sample / "transcripts.parquet"
    assert found["n_rows"] == pq.read_metadata(transcripts).num_rows
    assert found["levels"][0] == found["levels"][1]
