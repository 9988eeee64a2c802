"""Volumes in HDF5 files, folders of slices and TIFF stacks: axes, sizes, windows, and what is said of doubtful ones."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.open import open_image
from isthmus.image.slices import natural_key
from isthmus.image.source import Window
from isthmus.readers.registry import read_sample
from isthmus.steps.imported_pixels import rescaled

RNG = np.random.default_rng(0)
PLANTSEG = Path(__file__).parents[2].resolve().parent / "shared/data/plantseg_nuclei3d/1136_mini.h5"
WINDOW: Window = (slice(1, 4), slice(2, 9), slice(5, 11))
VOLUME = RNG.integers(0, 3000, (6, 10, 12)).astype(np.uint16)
IN_CHANNELS = RNG.integers(0, 3000, (2, 6, 10, 12)).astype(np.uint16)
Pixels = npt.NDArray[Any]


def write_h5(path: Path, **sets: Pixels) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in sets.items():
            file.create_dataset(name, data=values, chunks=True, compression="gzip")
    return path


def mark(path: Path, name: str, **attributes: object) -> Path:
    with h5py.File(path, "a") as file:
        file[name].attrs.update(attributes)
    return path


def tags(axes: str) -> str:
    """As ilastik writes them."""
    return json.dumps({"axes": [{"key": axis, "typeFlags": 2, "resolution": 0} for axis in axes]})


def fault(path: Path, **options: Any) -> str:
    with pytest.raises(UserError) as told:
        open_image(path, where="row 2", **options)
    return str(told.value)


def read(path: Path, channel: int = 0, **options: Any) -> Pixels:
    """Read a window as a worker would: the opener has been pickled."""
    opener = pickle.loads(pickle.dumps(open_image(path, **options).open))
    return np.asarray(opener().read(channel, WINDOW))


def test_the_only_data_set_of_a_file(tmp_path: Path) -> None:
    path = mark(write_h5(tmp_path / "a.h5", stack=VOLUME), "stack", element_size_um=[2.0, 0.5, 0.25])
    image = open_image(path)
    assert (image.shape, image.dtype, image.inside) == ((1, 6, 10, 12), "uint16", "stack")
    assert (image.pixel_size_um, image.z_step_um) == ((0.5, 0.25), 2.0)
    np.testing.assert_array_equal(read(path), VOLUME[WINDOW])


def test_raw_before_others_and_any_by_name(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "a.h5", label=VOLUME // 100, raw=VOLUME)
    np.testing.assert_array_equal(read(path), VOLUME[WINDOW])
    np.testing.assert_array_equal(read(path / "label"), (VOLUME // 100)[WINDOW])
    assert open_image(path / "label").inside == "label"


def test_a_data_set_in_groups(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["volumes/one/raw"], file["volumes/two/raw"] = VOLUME, VOLUME + 1
    np.testing.assert_array_equal(read(tmp_path / "a.h5/volumes/two/raw"), VOLUME[WINDOW] + 1)
    assert "holds 2 images: volumes/one/raw, volumes/two/raw; say which" in fault(tmp_path / "a.h5")


@pytest.mark.parametrize("axes", ["zyxc", "czyx", "xyzc", "cxyz", "tzyxc"])
def test_axes_named_by_ilastik(axes: str, tmp_path: Path) -> None:
    canonical = IN_CHANNELS[np.newaxis]
    values = canonical if "t" in axes else IN_CHANNELS
    order = "tczyx" if "t" in axes else "czyx"
    path = write_h5(tmp_path / "a.h5", exported_data=values.transpose([order.index(axis) for axis in axes]))
    mark(path, "exported_data", axistags=tags(axes))
    assert open_image(path).shape == (2, 6, 10, 12)
    np.testing.assert_array_equal(read(path, channel=1), IN_CHANNELS[1][WINDOW])


def test_channels_are_named_where_a_list_does(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "a.h5", raw=IN_CHANNELS)
    assert open_image(path).channels == ("channel_0", "channel_1")
    assert open_image(mark(path, "raw", channel_names=["DNA", "actin"])).channels == ("DNA", "actin")


def test_axes_named_by_hdf5(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "a.h5", data=VOLUME.transpose(2, 1, 0))
    with h5py.File(path, "a") as file:
        for dimension, name in zip(file["data"].dims, "xyz", strict=True):
            dimension.label = name
        file["data"].attrs["element_size_um"] = [0.25, 0.5, 2.0]
    assert open_image(path).pixel_size_um == (0.5, 0.25)
    np.testing.assert_array_equal(read(path), VOLUME[WINDOW])


def test_axes_by_their_number(tmp_path: Path) -> None:
    first = write_h5(tmp_path / "a.h5", data=IN_CHANNELS)
    last = write_h5(tmp_path / "b.h5", data=IN_CHANNELS.transpose(1, 2, 3, 0))
    plane = write_h5(tmp_path / "c.h5", data=VOLUME[0])
    assert open_image(first).shape == open_image(last).shape == (2, 6, 10, 12)
    assert open_image(plane).shape == (1, 1, 10, 12)
    np.testing.assert_array_equal(read(last, channel=1), IN_CHANNELS[1][WINDOW])


def test_only_the_chunks_of_a_window_are_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("raw", data=VOLUME, chunks=(1, 10, 12), compression="gzip", fletcher32=True)
        place = file["raw"].id.get_chunk_info(5).byte_offset
    content = bytearray(path.read_bytes())
    content[place + 5] ^= 255
    path.write_bytes(content)
    np.testing.assert_array_equal(read(path), VOLUME[WINDOW])
    with pytest.raises(UserError, match="channel 0 cannot be decoded at z 5 to 6"):
        open_image(path).open().read(0, (slice(5, 6), slice(0, 10), slice(0, 12)))


@pytest.mark.parametrize(
    ("sets", "inside", "line"),
    [
        ({}, "", "holds no image (data sets: none)"),
        ({"table": np.arange(5)}, "", "holds no image (data sets: table)"),
        ({"a": VOLUME, "b": VOLUME}, "", "holds 2 images: a, b; say which, for example"),
        ({"nuclei": VOLUME}, "nucleii", "there is no data set 'nucleii' in it; did you mean 'nuclei'?"),
        ({"nuclei": VOLUME, "n": np.arange(3)}, "n", "data set 'n' has 1 dimensions and is no image"),
        (
            {"a": np.zeros((3, 2, 4, 4, 4), np.uint8)},
            "",
            "data set 'a' has 3 time points; save one time point",
        ),
        ({"a": VOLUME.astype(np.float32)}, "", "the pixels are of type float32; save whole numbers"),
    ],
)
def test_files_that_leave_a_doubt(sets: dict[str, Pixels], inside: str, line: str, tmp_path: Path) -> None:
    path = write_h5(tmp_path / "a.h5", **sets)
    told = fault(path / inside if inside else path)
    assert line in told
    assert told.startswith("row 2, image '")


def test_wrong_sizes_and_axes(tmp_path: Path) -> None:
    path = mark(write_h5(tmp_path / "a.h5", raw=VOLUME), "raw", element_size_um=[0.0, 0.5, 0.5])
    assert "element_size_um of data set 'raw'" in fault(path)
    mark(path, "raw", element_size_um=[0.5, 0.5])
    assert "make it 3 lengths in micrometres" in fault(path)
    assert "named 'zyz'" in fault(mark(path, "raw", axistags=tags("zyz")))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_cut_short(share: float, tmp_path: Path) -> None:
    path = write_h5(tmp_path / "a.h5", raw=VOLUME)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert "the HDF5 file is damaged or cut short" in fault(path)


@pytest.mark.skipif(not PLANTSEG.is_file(), reason="the shared real data are not there")
def test_a_real_file_with_labels() -> None:
    sample = Sample(sample="a", image=PLANTSEG, labels=PLANTSEG / "label", where="row 2")
    parts = read_sample(sample)
    assert parts.image.header.shape == (1, 100, 100, 100)
    assert parts.image.header.z_step_um == pytest.approx(0.28371839)
    assert parts.image.header.affine.pixel_size_um == pytest.approx((0.12756972, 0.12756972))
    assert parts.labels is not None
    labels = parts.labels.open().read(0, (slice(0, 100),) * 3)
    assert len(np.unique(labels)) == 33


def write_slices(folder: Path, volume: Pixels, names: str = "z{}.tif", start: int = 8) -> Path:
    folder.mkdir()
    for number, plane in enumerate(volume, start=start):
        tifffile.imwrite(folder / names.format(number), plane)
    return folder


def test_slices_in_natural_order(tmp_path: Path) -> None:
    folder = write_slices(tmp_path / "stack", VOLUME)
    (folder / "notes.txt").write_text("")
    image = open_image(folder, pages="z")
    assert image.shape == (1, 6, 10, 12)
    assert [path.name for path in image.files] == [f"z{n}.tif" for n in range(8, 14)]
    np.testing.assert_array_equal(read(folder, pages="z"), VOLUME[WINDOW])


def test_slices_of_several_channels(tmp_path: Path) -> None:
    folder = tmp_path / "stack"
    folder.mkdir()
    for number in range(6):
        tifffile.imwrite(folder / f"s_{number:03}.tif", IN_CHANNELS[:, number], metadata={"axes": "CYX"})
    assert open_image(folder, pages="z").shape == (2, 6, 10, 12)
    np.testing.assert_array_equal(read(folder, channel=1, pages="z"), IN_CHANNELS[1][WINDOW])


def test_slices_that_do_not_fit(tmp_path: Path) -> None:
    folder = write_slices(tmp_path / "stack", VOLUME)
    assert "a folder of 6 TIFF files; if they are the slices of a volume, fill column z_step_um" in fault(
        folder
    )
    (folder / "z10.tif").unlink()
    (folder / "z11.tif").unlink()
    assert "of its 4 slices the numbers 10, 11 are missing" in fault(folder, pages="z")
    other = write_slices(tmp_path / "other", VOLUME)
    tifffile.imwrite(other / "z9.tif", VOLUME[0, :5])
    assert "slice 'z9.tif' has 1 x 5 x 12 pixels" in fault(other, pages="z")
    tifffile.imwrite(other / "z9.tif", VOLUME[0])
    cut = (other / "z11.tif").read_bytes()
    (other / "z11.tif").write_bytes(cut[: len(cut) // 2])
    assert "slice 'z11.tif'" in fault(other, pages="z")


def test_every_second_slice_is_no_gap(tmp_path: Path) -> None:
    folder = tmp_path / "stack"
    folder.mkdir()
    for number, plane in enumerate(VOLUME):
        tifffile.imwrite(folder / f"z{2 * number}.tif", plane)
    assert open_image(folder, pages="z").shape[1] == 6


@given(numbers=st.lists(st.integers(0, 10**9), min_size=2, unique=True))
def test_names_sort_by_their_numbers(numbers: list[int]) -> None:
    names = sorted((f"T1_z{n}.tif" for n in numbers), key=natural_key)
    assert names == [f"T1_z{n}.tif" for n in sorted(numbers)]


def test_pages_without_names_are_planes_where_the_sheet_tells_their_distance(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, VOLUME, photometric="minisblack", metadata={"shape": VOLUME.shape})
    flat = read_sample(Sample(sample="a", image=path, pixel_size_um=0.5, where="row 2"))
    deep = read_sample(Sample(sample="a", image=path, pixel_size_um=0.5, z_step_um=2.0, where="row 2"))
    assert flat.image.header.shape == (6, 1, 10, 12)
    assert (deep.image.header.shape, deep.image.header.z_step_um) == ((1, 6, 10, 12), 2.0)
    np.testing.assert_array_equal(deep.image.open().read(0, WINDOW), VOLUME[WINDOW])


def test_a_volume_without_a_voxel_size_is_refused(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "a.h5", raw=VOLUME)
    with pytest.raises(UserError, match="fill column pixel_size_um"):
        read_sample(Sample(sample="a", image=path, where="row 2"))
    with pytest.raises(
        UserError, match="6 planes and does not say how far apart they are; fill column z_step_um"
    ):
        read_sample(Sample(sample="a", image=path, pixel_size_um=0.5, where="row 2"))


@given(
    low=st.floats(-100, 100),
    width=st.floats(0.01, 1000),
    shares=st.lists(st.floats(-1, 2), min_size=1, max_size=20),
)
def test_rescaling_is_a_straight_line_with_ends(low: float, width: float, shares: list[float]) -> None:
    high = low + width
    values = np.array([low + share * width for share in shares])
    made = rescaled(values, low, high, where="row 2")
    wanted = np.clip((values - low) / (high - low), 0, 1) * 65535
    assert made.dtype == np.uint16
    assert np.abs(made - wanted).max() <= 0.5 + 1e-6
    assert rescaled(np.array([low, high]), low, high, where="").tolist() == [0, 65535]


def test_rescaling_refuses_what_is_no_number() -> None:
    with pytest.raises(UserError, match="pixels that are no number"):
        rescaled(np.array([np.nan]), 0.0, 1.0, where="row 2")


@pytest.mark.parametrize(
    ("attributes", "tested"),
    [
        ({"element_size_um": [1.0, 0.5, 0.5]}, True),  # as PlantSeg, of which a real file is there
        ({"axistags": tags("zyx"), "element_size_um": [1.0, 0.5, 0.5]}, False),
        ({}, False),
    ],
)
def test_forms_of_hdf5_that_no_real_file_has_say_so(
    tmp_path: Path, attributes: dict[str, object], tested: bool
) -> None:
    path = mark(write_h5(tmp_path / "a.h5", raw=VOLUME), "raw", **attributes)
    sample = Sample(sample="a", image=path, pixel_size_um=0.5, z_step_um=1.0, where="row 2")
    assert read_sample(sample).tested_on_real_files is tested
    tifffile.imwrite(tmp_path / "i.tif", VOLUME)
    with_labels = sample.model_copy(update={"image": tmp_path / "i.tif", "labels": path})
    assert read_sample(with_labels).tested_on_real_files is tested


def test_a_volume_of_labels_in_a_file_called_hdf5_holds_no_polygons(tmp_path: Path) -> None:
    """MERSCOPE's polygons have this ending too."""
    labels = mark(
        write_h5(tmp_path / "labels.hdf5", exported_data=VOLUME), "exported_data", axistags=tags("zyx")
    )
    tifffile.imwrite(tmp_path / "i.tif", VOLUME)
    sample = Sample(
        sample="a", image=tmp_path / "i.tif", labels=labels, pixel_size_um=0.5, z_step_um=1.0, where="row 2"
    )
    parts = read_sample(sample)
    assert parts.polygons is None
    assert parts.labels is not None
    np.testing.assert_array_equal(parts.labels.open().read(0, WINDOW), VOLUME[WINDOW])
