"""Write what the models say for people and editors: `python -m isthmus.config.document [FOLDER]`.

config.yaml     every option with its default, commented
schema.json     JSON Schema, for editors that complete and check YAML
README.md       the tables between the marks; the text around them is written by hand
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import yaml

from isthmus.config.schema import Schema, expected, properties, resolve, settings_schema

BEGIN = "<!-- options: made by `make config`, do not edit -->"
END = "<!-- end of options -->"
WIDTH = 100

YAML_HEAD = """\
# yaml-language-server: $schema=schema.json
# Every option of Isthmus with its default. Made by `make config` from workflow/isthmus/config; do not edit.
# A configuration of your own needs only what differs, for example:
#
#   samples: samples.tsv
#   segmentation: {basins: {nucleus_diameter_um: 9}}
#
"""


def config_yaml() -> str:
    """The commented configuration with every default."""
    return YAML_HEAD + "\n".join(_yaml_lines(settings_schema(), 0)) + "\n"


def schema_json() -> str:
    """The JSON Schema as text."""
    return json.dumps(settings_schema(), indent=2) + "\n"


def tables() -> str:
    """One Markdown table for each section that has options of its own."""
    return "\n\n".join(_tables(settings_schema(), ())) + "\n"


def readme(old: str) -> str:
    """A README whose part between the marks is made anew."""
    before, _, rest = old.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


def documents(folder: Path) -> dict[Path, str]:
    """Text of every generated file by its path in the configuration's folder."""
    page = folder / "README.md"
    return {
        folder / "config.yaml": config_yaml(),
        folder / "schema.json": schema_json(),
        page: readme(page.read_text(encoding="utf-8")),
    }


def _yaml_lines(section: Schema, depth: int) -> Iterator[str]:
    required = resolve(section).get("required", [])
    for name, option in properties(section).items():
        comment = resolve(option)["description"]
        indent = "  " * depth
        if depth == 0:
            yield ""
        yield from textwrap.wrap(
            comment, WIDTH - 2 * depth, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
        )
        if properties(option):
            yield f"{indent}{name}:"
            yield from _yaml_lines(option, depth + 1)
        elif name in required:
            yield f"{indent}# May be: {expected(option)}."
            yield f"{indent}{name}: samples.tsv"
        else:
            yield f"{indent}# May be: {expected(option)}."
            yield f"{indent}{name}: {_yaml_value(option['default'])}"


def _yaml_value(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _tables(section: Schema, above: tuple[str, ...]) -> Iterator[str]:
    plain = {name: option for name, option in properties(section).items() if not properties(option)}
    if plain:
        required = resolve(section).get("required", [])
        title = f"### `{'.'.join(above)}`" if above else "### Top level"
        lines = [title, ""]
        if above:
            lines += [resolve(section)["description"], ""]
        lines += ["| option | default | may be | meaning |", "|---|---|---|---|"]
        for name, option in plain.items():
            default = "required" if name in required else f"`{_yaml_value(option['default'])}`"
            cells = (f"`{name}`", default, expected(option), option["description"])
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        yield "\n".join(lines)
    for name, option in properties(section).items():
        if properties(option):
            yield from _tables(option, (*above, name))


def main(arguments: list[str]) -> int:
    """Write the files into the folder given, or into `config` of the working directory."""
    for path, text in documents(Path(arguments[0] if arguments else "config")).items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
