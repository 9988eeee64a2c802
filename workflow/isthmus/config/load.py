"""Read the configuration: layers of YAML files and overrides in, one checked `Settings` out.

Nested options of later layers replace those of earlier ones; lists are replaced as a whole. Input paths are
relative to the file that they stand in, those of overrides and `results` to the working directory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from isthmus.config.faults import faults_of
from isthmus.config.models import Settings
from isthmus.config.panel import read_panel
from isthmus.config.paths import absolute
from isthmus.config.schema import Schema, properties, resolve, settings_schema
from isthmus.config.yaml_text import parse_yaml, read_mapping
from isthmus.errors import UserError, UserErrors, raise_all

Tree = dict[str, Any]
RESULTS = ("results",)
DATA_CACHE = ("isthmus", "data")


@dataclass(frozen=True)
class Layer:
    """One source of options: its name in errors, the folder of its relative paths, and its nested options."""

    name: str
    folder: Path
    tree: Tree
    is_override: bool = False


def load_settings(
    files: Sequence[Path],
    overrides: Mapping[str, object] | None = None,
    cwd: Path | None = None,
    *,
    overrides_name: str = "--set",
) -> Settings:
    """The configuration that the layers make together; all faults at once as UserErrors.

    Parameters
    ----------
    files
        YAML files, later ones win.
    overrides
        Options that win over the files; keys nested or dotted (`execution.block_px`).
    cwd
        Folder that `results` and the paths of overrides are relative to; the working directory by default.
    overrides_name
        What errors call the overrides.

    Returns
    -------
    Settings
        With absolute paths, `results` filled in.
    """
    cwd = (cwd or Path.cwd()).absolute()
    layers, faults = _read_layers(files, cwd)
    if overrides:
        layers.append(Layer(overrides_name, cwd, _nested(overrides), is_override=True))
    raise_all(faults)
    merged: Tree = {}
    for layer in layers:
        merged = merge(merged, _without_empty_sections(layer.tree))
    merged = _with_absolute_paths(merged, layers, cwd)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        faults = faults_of(error, merged, lambda key: _where(layers, key))
    raise_all(faults + _missing_inputs(merged, layers))
    settings = settings.model_copy(
        update={"results": settings.results or cwd / "results" / settings.use_case}
    )
    return filled_by_panel(settings)


def filled_by_panel(settings: Settings) -> Settings:
    """Settings in which the panel has filled in the channels that no option names."""
    if settings.image.panel is None:
        return settings
    panel = read_panel(settings.image.panel, where=f"image.panel '{settings.image.panel}'")
    update: dict[str, Any] = {}
    segmentation = settings.segmentation
    method = getattr(segmentation, segmentation.method, None)
    if method is not None and panel.nuclear_channel and getattr(method, "channel", "") is None:
        method = method.model_copy(update={"channel": panel.nuclear_channel})
        update["segmentation"] = segmentation.model_copy(update={segmentation.method: method})
    if settings.cells.guide.channel is None and panel.guide is not None:
        channel, kind = panel.guide
        guide = settings.cells.guide.model_copy(update={"channel": channel, "kind": kind})
        update["cells"] = settings.cells.model_copy(update={"guide": guide})
    if settings.quantification.channels is None:
        update["quantification"] = settings.quantification.model_copy(update={"channels": panel.measured})
    return settings.model_copy(update=update)


def parse_override(text: str) -> Tree:
    """`execution.block_px=512` as nested options; the value is read as YAML."""
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise UserError(
            where=f"--set {text}",
            found="not of the form KEY=VALUE",
            do="write for example execution.block_px=512",
        )
    if not value.strip():
        raise UserError(
            where=f"--set {text}", found="there is no value", do=f"give one, or write {key.strip()}=null"
        )
    return _nest(parts, parse_yaml(value, where=f"--set {key.strip()}"))


def merge(lower: Tree, upper: Tree) -> Tree:
    """Options of both; where both have one, that of `upper`, unless both are sections, which are merged."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _read_layers(files: Sequence[Path], cwd: Path) -> tuple[list[Layer], list[UserError]]:
    layers: list[Layer] = []
    faults: list[UserError] = []
    for file in files:
        path = cwd / file
        try:
            tree = read_mapping(path, where=str(file))
        except UserErrors as error:
            faults.extend(error.errors)
        except UserError as error:
            faults.append(error)
        else:
            layers.append(Layer(str(file), path.parent, tree))
    return layers, faults


def _nested(overrides: Mapping[str, object]) -> Tree:
    tree: Tree = {}
    for key, value in overrides.items():
        inner = _nested(value) if isinstance(value, Mapping) else value
        tree = merge(tree, _nest(key.split("."), inner))
    return tree


def _nest(parts: Sequence[str], value: object) -> Tree:
    for part in reversed(parts[1:]):
        value = {part: value}
    return {parts[0]: value}


def _without_empty_sections(tree: Tree, schema: Schema | None = None) -> Tree:
    """A section whose options are all commented out reads as null; it means that nothing was said."""
    below = properties(schema or settings_schema())
    kept: Tree = {}
    for key, value in tree.items():
        section = resolve(below[key]) if key in below else {}
        if "properties" in section and value is None:
            continue
        kept[key] = _without_empty_sections(value, section) if isinstance(value, dict) and section else value
    return kept


def _layer_of(layers: Sequence[Layer], key: Sequence[int | str]) -> Layer | None:
    """The layer that an option's value comes from: the last one that has the key, or most of it."""
    names = [part for part in key if isinstance(part, str)]
    for length in range(len(names), 0, -1):
        for layer in reversed(layers):
            above = _get(layer.tree, names[: length - 1])
            if isinstance(above, dict) and names[length - 1] in above:
                return layer
    return layers[-1] if layers else None


def _where(layers: Sequence[Layer], key: Sequence[int | str]) -> str:
    layer = _layer_of(layers, key)
    name = layer.name if layer else "configuration"
    dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).lstrip(".")
    if not dotted:
        return name
    return f"{name} {dotted}" if layer and layer.is_override else f"{name}: {dotted}"


def _get(tree: Tree, key: Sequence[str]) -> Any:
    value: Any = tree
    for part in key:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _with_absolute_paths(tree: Tree, layers: Sequence[Layer], cwd: Path) -> Tree:
    for key in path_keys():
        layer, value = _layer_of(layers, key), _get(tree, key)
        if layer and isinstance(value, str | Path) and str(value):
            folder = cwd if key == RESULTS else layer.folder
            tree = merge(tree, _nest(key, absolute(value, folder)))
    for key, name in paths_in_lists():
        layer, items = _layer_of(layers, key), _get(tree, key)
        if layer and isinstance(items, list):
            tree = merge(tree, _nest(key, [_with_absolute(item, name, layer.folder) for item in items]))
    return tree


def _with_absolute(item: Any, name: str, folder: Path) -> Any:
    """A section of a list with one of its paths made absolute."""
    value = item.get(name) if isinstance(item, dict) else None
    return {**item, name: absolute(value, folder)} if isinstance(value, str | Path) and str(value) else item


def _missing_inputs(tree: Tree, layers: Sequence[Layer]) -> list[UserError]:
    faults = []
    inputs: list[tuple[tuple[int | str, ...], Any]] = [(key, _get(tree, key)) for key in path_keys()]
    for above, name in paths_in_lists():
        items = _get(tree, above)
        for number, item in enumerate(items if isinstance(items, list) else ()):
            inputs.append(((*above, number, name), item.get(name) if isinstance(item, dict) else None))
    for key, path in inputs:
        if key == RESULTS or not isinstance(path, Path) or path.is_file():
            continue
        found = f"{path} is a folder, not a file" if path.is_dir() else f"no such file {path}"
        faults.append(
            UserError(where=_where(layers, key), found=found, do=_cure(path, _layer_of(layers, key)))
        )
    return faults


def _cure(path: Path, layer: Layer | None) -> str:
    """Demo data stand in a cache, a folder a data set; what is not there can be fetched."""
    for folder, cache in pairwise(path.parents):
        if cache.parts[-2:] == DATA_CACHE:
            return f"get it with 'isthmus fetch {folder.name}'"
    start = "working directory" if layer and layer.is_override else "folder of the file it stands in"
    return f"correct the path; it starts from the {start}"


def path_keys(schema: Schema | None = None, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Key paths of all options that are paths."""
    found: list[tuple[str, ...]] = []
    for name, option in properties(schema or settings_schema()).items():
        if any(kind.get("format") == "path" for kind in [option, *option.get("anyOf", [])]):
            found.append((*above, name))
        if properties(option):
            found.extend(path_keys(resolve(option), (*above, name)))
    return found


def paths_in_lists(
    schema: Schema | None = None, above: tuple[str, ...] = ()
) -> list[tuple[tuple[str, ...], str]]:
    """Key paths of all lists of sections that hold paths, each with the name of the path within a section."""
    found: list[tuple[tuple[str, ...], str]] = []
    for name, option in properties(schema or settings_schema()).items():
        for inner, kind in properties(resolve(option).get("items", {})).items():
            if kind.get("format") == "path":
                found.append(((*above, name), inner))
        if properties(option):
            found.extend(paths_in_lists(resolve(option), (*above, name)))
    return found
