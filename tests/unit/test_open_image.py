"""Opening images: what is read of them, window by window, and what is said of broken ones."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from xenium_folder import multi_file_ome

from isthmus.errors import UserError
from isthmus.image.open import open_image

RNG = np.random.default_rng(0)
DATA = Path(__file__).parents[3] / "shared" / "data"
NAMES = ("c0.ome.tif", "c1.ome.tif", "c2.ome.tif")
WINDOW = (slice(0, 1), slice(5, 40), slice(11, 77))


def pixels(*shape: int, dtype: str = "uint16") -> np.ndarray:
    return RNG.integers(0, 200, shape).astype(dtype)


def read(path: Path, channel: int = 0, window=WINDOW, level: int = 0) -> np.ndarray:
    """Read as a worker process would: the opener has been pickled."""
    opener = pickle.loads(pickle.dumps(open_image(path, level=level).open))
    return opener().read(channel, window)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rowsperstrip": 7},
        {"tile": (32, 48)},
        {"tile": (32, 32), "compression": "zlib", "predictor": 2},
        {"tile": (32, 32), "compression": "jpeg2000"},
        {"compression": "lzw", "rowsperstrip": 16},
        {"byteorder": ">"},
        {"byteorder": ">", "bigtiff": True, "tile": (16, 16)},
    ],
    ids=str,
)
def test_window_of_a_plane(tmp_path, options):
    image = pixels(64, 96)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, **options)
    description = open_image(path)
    assert description.shape == (1, 1, 64, 96)
    assert description.dtype == "uint16"
    window = read(path)
    assert window.dtype == np.dtype("uint16")
    assert window.dtype.isnative
    np.testing.assert_array_equal(window, image[np.newaxis, 5:40, 11:77])


def test_window_of_an_uncompressed_plane_is_mapped_not_read(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((4000, 4000), "uint16"))
    source = open_image(path).open()
    assert isinstance(source._array, np.memmap)


@pytest.mark.parametrize("options", [{}, {"tile": (32, 32), "compression": "zlib"}], ids=["raw", "tiled"])
def test_ome_tiff_with_channels_planes_and_units(tmp_path, options):
    image = pixels(2, 3, 64, 96)
    path = tmp_path / "a.ome.tif"
    metadata = {
        "axes": "CZYX",
        "Channel": {"Name": ["DAPI", "CD3"]},
        "PhysicalSizeX": 250.0,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.5,
        "PhysicalSizeZ": 2.0,
    }
    tifffile.imwrite(path, image, metadata=metadata, **options)
    description = open_image(path)
    assert description.shape == (2, 3, 64, 96)
    assert description.channels == ("DAPI", "CD3")
    assert description.pixel_size_um == (0.5, 0.25)
    assert description.z_step_um == 2.0
    assert description.format == "OME-TIFF"
    window = (slice(1, 3), slice(0, 8), slice(90, 96))
    np.testing.assert_array_equal(read(path, 1, window), image[1, 1:3, 0:8, 90:96])


def test_pyramid_level_has_larger_pixels(tmp_path):
    path = tmp_path / "a.ome.tif"
    full = pixels(65, 97)
    with tifffile.TiffWriter(path) as tif:
        tif.write(full, subifds=1, tile=(32, 32), metadata={"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5})
        tif.write(full[:64:2, :96:2], subfiletype=1, tile=(32, 32))
    assert open_image(path).pixel_size_um == (0.5, 0.5)
    level = open_image(path, level=1)
    assert level.shape == (1, 1, 32, 48)
    assert level.pixel_size_um == (1.0, 1.0)
    np.testing.assert_array_equal(
        read(path, window=(slice(0, 1), slice(3, 9), slice(2, 5)), level=1)[0], full[6:18:2, 4:10:2]
    )
    with pytest.raises(UserError, match="its last level is 1, and level 2 was asked for"):
        open_image(path, level=2)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_samples_of_a_colour_image_are_channels(tmp_path, planar):
    image = pixels(3, 32, 48, dtype="uint8")
    path = tmp_path / "rgb.tif"
    data = image if planar == "separate" else np.moveaxis(image, 0, -1)
    tifffile.imwrite(path, data, photometric="rgb", planarconfig=planar)
    assert open_image(path).shape == (3, 1, 32, 48)
    for channel in range(3):
        window = (slice(0, 1), slice(4, 8), slice(40, 48))
        np.testing.assert_array_equal(read(path, channel, window)[0], image[channel, 4:8, 40:48])


def test_imagej_hyperstack(tmp_path):
    image = pixels(3, 2, 32, 48)
    path = tmp_path / "ij.tif"
    resolution = (1 / 0.325, 1 / 0.325)
    metadata = {"axes": "ZCYX", "unit": "um", "spacing": 1.5}
    tifffile.imwrite(path, image, imagej=True, resolution=resolution, metadata=metadata)
    description = open_image(path)
    assert description.shape == (2, 3, 32, 48)
    assert description.pixel_size_um == pytest.approx((0.325, 0.325))
    assert description.z_step_um == 1.5
    window = (slice(2, 3), slice(0, 4), slice(0, 4))
    np.testing.assert_array_equal(read(path, 1, window)[0], image[2, 1, :4, :4])


def test_pixels_per_inch_of_a_photo_editor_are_not_believed(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels(8, 8), resolution=(72, 72), resolutionunit="INCH")
    assert open_image(path).pixel_size_um is None
    tifffile.imwrite(path, pixels(8, 8), resolution=(20000, 20000), resolutionunit="CENTIMETER")
    assert open_image(path).pixel_size_um == (0.5, 0.5)


def test_stack_of_unnamed_pages_is_taken_as_channels(tmp_path):
    path = tmp_path / "a.tif"
    image = pixels(4, 16, 16)
    with tifffile.TiffWriter(path) as tif:
        for page in image:
            tif.write(page, metadata=None, contiguous=False)
    description = open_image(path)
    assert description.shape == (4, 1, 16, 16)
    assert description.channels == ("channel_0", "channel_1", "channel_2", "channel_3")
    np.testing.assert_array_equal(read(path, 3, (slice(0, 1), slice(0, 16), slice(0, 16)))[0], image[3])


def test_multi_file_ome_tiff(tmp_path):
    image = pixels(3, 64, 96)
    paths = multi_file_ome(tmp_path, NAMES, image)
    description = open_image(paths[0])
    assert description.shape == (3, 1, 64, 96)
    assert description.channels == ("stain 0", "stain 1", "stain 2")
    assert {path.name for path in description.files} == {path.name for path in paths}
    for channel in range(3):
        np.testing.assert_array_equal(read(paths[0], channel)[0], image[channel, 5:40, 11:77])


def test_multi_file_ome_tiff_with_a_file_missing(tmp_path):
    paths = multi_file_ome(tmp_path, NAMES, pixels(3, 64, 96))
    paths[1].unlink()
    with pytest.raises(UserError, match="1 of its 3 planes are in files that are not there; put all files"):
        open_image(paths[0])


def write_zarr(path: Path, image: np.ndarray, axes: str, version: str, **extra) -> None:
    zarr_format = 2 if version == "0.4" else 3
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    group.create_array("0", data=image, chunks=(1,) * (image.ndim - 2) + (16, 16))
    group.create_array("1", data=image[..., ::2, ::2], chunks=(1,) * (image.ndim - 2) + (16, 16))
    kinds = {"t": "time", "c": "channel"}
    units = {axis: {"unit": extra.get("unit", "micrometer")} for axis in "zyx"}
    named = [{"name": axis, "type": kinds.get(axis, "space"), **units.get(axis, {})} for axis in axes]
    sizes = {"z": 2.0, "y": 0.5, "x": 0.25}
    scales = [[sizes.get(a, 1.0) * (f if a in "yx" else 1) for a in axes] for f in (1, 2)]
    datasets = [
        {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        for level, scale in enumerate(scales)
    ]
    if "translation" in extra:
        datasets[0]["coordinateTransformations"].append(
            {"type": "translation", "translation": extra["translation"]}
        )
    content = {"multiscales": [{"version": version, "axes": named, "datasets": datasets}]}
    if "names" in extra:
        content["omero"] = {"channels": [{"label": name} for name in extra["names"]]}
    group.attrs.update(content if version == "0.4" else {"ome": {"version": version, **content}})


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["yx", "cyx", "zyx", "czyx", "tczyx", "tcyx"])
def test_ome_zarr(tmp_path, version, axes):
    sizes = {"t": 1, "c": 2, "z": 3, "y": 64, "x": 96}
    image = pixels(*(sizes[axis] for axis in axes))
    path = tmp_path / "a.ome.zarr"
    write_zarr(path, image, axes, version, names=["a", "b"])
    description = open_image(path)
    n_channels, n_planes = (2 if "c" in axes else 1), (3 if "z" in axes else 1)
    assert description.shape == (n_channels, n_planes, 64, 96)
    assert description.channels == ("a", "b")[:n_channels]
    assert description.pixel_size_um == (0.5, 0.25)
    assert description.z_step_um == (2.0 if "z" in axes else None)
    assert description.origin_um == (0.0, 0.0)
    assert description.format == f"OME-Zarr {version}"
    canonical = image.reshape(n_channels, n_planes, 64, 96)
    window = (slice(n_planes - 1, n_planes), slice(10, 33), slice(0, 96))
    np.testing.assert_array_equal(read(path, n_channels - 1, window)[0], canonical[-1, -1, 10:33])
    assert open_image(path, level=1).pixel_size_um == (1.0, 0.5)


def test_ome_zarr_units_and_place(tmp_path):
    path = tmp_path / "a.zarr"
    write_zarr(path, pixels(32, 32), "yx", "0.5", unit="nanometer", translation=[1000.25, 2000.125])
    description = open_image(path)
    assert description.pixel_size_um == pytest.approx((0.0005, 0.00025))
    # A translation places the centre of the first pixel, an origin is its outer corner.
    assert description.origin_um == pytest.approx((2.0, 1.0))


def test_ome_zarr_without_units_has_no_pixel_size(tmp_path):
    path = tmp_path / "a.zarr"
    write_zarr(path, pixels(32, 32), "yx", "0.4", unit="")
    assert open_image(path).pixel_size_um is None


def test_real_ome_zarr():
    path = DATA / "omezarr_plk1_control" / "xy_8bit__nuclei_PLK1_control.ome.zarr"
    if not path.is_dir():
        pytest.skip("the shared test data are not on this machine")
    description = open_image(path)
    assert description.shape == (1, 1, 682, 682)
    assert description.pixel_size_um == pytest.approx((0.16605, 0.16605), abs=1e-5)
    assert read(path).max() > 0


# What is said of broken images. Each is one line that names the file and what to do.


def fault(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        open_image(path, where="samples.tsv, row 2 (sample b1)")
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"samples.tsv, row 2 (sample b1), image '{path}': ")
    assert "; " in line
    return line


def test_missing_file(tmp_path):
    assert "there is no such file or folder" in fault(tmp_path / "none.tif")


def test_empty_file(tmp_path):
    (tmp_path / "a.tif").touch()
    assert "the file is empty" in fault(tmp_path / "a.tif")


def test_not_an_image(tmp_path):
    (tmp_path / "a.tif").write_text("hello, I am a text\n")
    assert "not an image that Isthmus reads; convert it" in fault(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "options", [{}, {"tile": (32, 32)}, {"tile": (32, 32), "compression": "zlib"}], ids=str
)
@pytest.mark.parametrize("kept", [0.97, 0.5, 0.02])
def test_truncated_tiff(tmp_path, options, kept):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels(3, 256, 256), photometric="minisblack", **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert "cut short" in fault(path)


def test_damaged_headers_are_told_not_raised(tmp_path):
    path = tmp_path / "a.ome.tif"
    metadata = {"axes": "CYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(path, pixels(2, 32, 32), metadata=metadata, tile=(16, 16), compression="zlib")
    whole = path.read_bytes()
    told = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for position in RNG.integers(4, 900, 5):
            damaged[position] = RNG.integers(0, 256)
        path.write_bytes(damaged)
        try:
            open_image(path)
        except UserError:
            told += 1
    assert told > 0


@pytest.mark.parametrize("compression", ["zlib", "jpeg2000", "lzw"])
def test_damaged_tile_is_told_when_it_is_read(tmp_path, compression):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels(64, 64), tile=(32, 32), compression=compression)
    with tifffile.TiffFile(path) as tif:
        start, length = tif.pages[0].dataoffsets[3], tif.pages[0].databytecounts[3]
    content = bytearray(path.read_bytes())
    content[start : start + length] = bytes(length)
    path.write_bytes(content)
    source = open_image(path).open()
    source.read(0, (slice(0, 1), slice(0, 32), slice(0, 64)))
    with pytest.raises(UserError, match="channel 0 cannot be decoded at z 0 to 1, y 32 to 64, x 32 to 64"):
        source.read(0, (slice(0, 1), slice(32, 64), slice(32, 64)))


def test_damaged_chunk_of_a_zarr_is_told_when_it_is_read(tmp_path):
    write_zarr(tmp_path / "a.zarr", pixels(32, 32), "yx", "0.5")
    (tmp_path / "a.zarr" / "0" / "c" / "1" / "1").write_bytes(b"damaged")
    source = open_image(tmp_path / "a.zarr").open()
    source.read(0, (slice(0, 1), slice(0, 16), slice(0, 32)))
    with pytest.raises(UserError, match="channel 0 cannot be decoded at"):
        source.read(0, (slice(0, 1), slice(0, 32), slice(0, 32)))


def test_truncated_file_of_a_multi_file_ome_tiff(tmp_path):
    paths = multi_file_ome(tmp_path, NAMES, pixels(2, 64, 96))
    paths[1].write_bytes(paths[1].read_bytes()[:-200])
    assert "file 'c1.ome.tif' is cut short" in fault(paths[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fractions(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", pixels(8, 8).astype(dtype))
    told = fault(tmp_path / "a.tif")
    assert f"the pixels are of type {dtype}; save whole numbers: intensities rescaled to uint16" in told


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "bool", "int32", "uint32", "int16"])
def test_whole_numbers(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", pixels(8, 8).astype(dtype))
    assert open_image(tmp_path / "a.tif").dtype == dtype


def test_time(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels(5, 16, 16), metadata={"axes": "TYX"})
    assert "it has 5 time points; save one time point a file" in fault(tmp_path / "a.ome.tif")
    write_zarr(tmp_path / "a.zarr", pixels(5, 32, 32), "tyx", "0.4")
    assert "it has 5 time points; save one time point a file" in fault(tmp_path / "a.zarr")


def test_folder_that_is_no_image(tmp_path):
    assert "a folder without OME-Zarr metadata" in fault(tmp_path)


def test_zarr_without_ome_metadata(tmp_path):
    zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    assert "its metadata describe no OME-Zarr image" in fault(tmp_path / "a.zarr")


def test_zarr_with_damaged_metadata(tmp_path):
    write_zarr(tmp_path / "a.zarr", pixels(32, 32), "yx", "0.5")
    (tmp_path / "a.zarr" / "zarr.json").write_text("{")
    assert "no readable Zarr group" in fault(tmp_path / "a.zarr")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_zarr_without_its_level(tmp_path, version):
    write_zarr(tmp_path / "a.zarr", pixels(32, 32), "yx", version)
    shutil.rmtree(tmp_path / "a.zarr" / "0")
    assert "its metadata name level '0', which is not there" in fault(tmp_path / "a.zarr")


def test_plate(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.attrs["plate"] = {"wells": []}
    assert "it is a plate" in fault(tmp_path / "a.zarr")


def test_folder_of_bioformats2raw_is_entered(tmp_path):
    zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2).attrs["bioformats2raw.layout"] = 3
    write_zarr(tmp_path / "a.zarr" / "0", pixels(32, 32), "yx", "0.4")
    assert open_image(tmp_path / "a.zarr").shape == (1, 1, 32, 32)


def test_wrong_axes(tmp_path):
    write_zarr(tmp_path / "a.zarr", pixels(32, 32), "yx", "0.4")
    attributes = tmp_path / "a.zarr" / ".zattrs"
    content = json.loads(attributes.read_text())
    content["multiscales"][0]["axes"].insert(0, {"name": "c", "type": "channel"})
    attributes.write_text(json.dumps(content))
    assert "level '0' is not an array with axes cyx" in fault(tmp_path / "a.zarr")
