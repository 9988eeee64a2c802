"""Kernels are compiled before workers start: a block meets none that would have to be compiled in every worker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from isthmus.launch.warm import main

BLOCKS = """
import sys
from pathlib import Path

import numpy as np

from isthmus.launch.warm import main
import isthmus.quantify.warm
import isthmus.segment.warm


def compiled():
    kernels = {
        id(value): value
        for name, module in sys.modules.items()
        if name.startswith(("isthmus.segment.", "isthmus.quantify."))
        for value in vars(module).values()
        if hasattr(value, "signatures") and hasattr(value, "py_func")
    }
    return {(k.py_func.__module__, k.py_func.__name__, str(s)) for k in kernels.values() for s in k.signatures}


def main():
    shape, dtype = eval(sys.argv[1]), sys.argv[2]
    before = compiled()
    from block_store import run_blocks
    from isthmus.image.survey import ChannelSurvey
    from isthmus.segment.basins import BasinsMethod, BasinsSettings, derive_parameters

    pixels = np.random.default_rng(0).integers(0, 60, (2, *shape)).astype(dtype)
    pixels[:, :, 10:20, 10:30] += 150
    survey = ChannelSurvey(np.bincount(pixels[0].reshape(-1), minlength=65_536).astype(np.int64))
    parameters = derive_parameters(BasinsSettings(), pixel_size_um=(1.0, 1.0, 1.0), survey=survey)
    method = BasinsMethod(channel=0, parameters=parameters)
    run_blocks(Path(sys.argv[3]), pixels, (4, 32, 32), method=method)
    for new in sorted(compiled() - before):
        print(*new)


main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "dtype"), [((1, 40, 60), "uint16"), ((1, 40, 60), "uint8"), ((6, 40, 40), "uint16")]
)
def test_blocks_compile_nothing_of_their_own(tmp_path, shape, dtype):
    words = [sys.executable, "-W", "ignore", "-c", BLOCKS, str(shape), dtype, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_set_up_calls_what_the_analysis_needs():
    main()
