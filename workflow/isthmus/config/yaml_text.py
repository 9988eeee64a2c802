"""Read YAML as plain data, strictly: a key written twice is an error, only what looks like a number is one.

PyYAML follows YAML 1.1, where `no` is false, `1e-3` is a text, `1:30` is 90 and a date is an object. This
loader keeps the core of YAML 1.2: null, true and false, integers, floats, texts.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from isthmus.errors import UserError

_NULL, _BOOL, _INT, _FLOAT = (f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float"))

_RESOLVERS = (
    (_NULL, r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    (_BOOL, r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    (_INT, r"^[-+]?(?:0|[1-9][0-9]*)$", list("-+0123456789")),
    (_FLOAT, r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
    (_FLOAT, r"^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$", list("-+.")),
    ("tag:yaml.org,2002:merge", r"^<<$", ["<"]),
)


class _Loader(yaml.SafeLoader):
    """The safe loader with the resolvers above and without repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be a plain word", key.start_mark
                )
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key.value}' stands here a second time", key.start_mark
                )
            seen.add(key.value)
        node.value = [(_as_text(key), value) for key, value in node.value]
        # deep construction makes an alias that contains itself an error instead of an endless structure
        return super().construct_mapping(node, deep=True)


def _as_text(key: yaml.Node) -> yaml.Node:
    """Keys are names: `1:` is the key '1', not a number."""
    if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
        key.tag = "tag:yaml.org,2002:str"
    return key


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)


def parse_yaml(text: str, *, where: str) -> Any:
    """The data of one YAML document; `where` names it in errors."""
    try:
        # the loader is a subclass of the safe loader: it makes plain data only
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise UserError(where=f"{where}{line}", found=_problem(error), do=_cure(error)) from None
    except yaml.YAMLError as error:
        raise UserError(where=where, found=f"not valid YAML ({error})") from None


def read_mapping(path: Path, *, where: str) -> dict[str, Any]:
    """The mapping that a YAML file holds; an empty file holds an empty one. `where` names it in errors."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(where=where, found="no such file", do="check the name and the folder") from None
    except UnicodeDecodeError:
        raise UserError(where=where, found="not a text file in UTF-8", do="save it as UTF-8 YAML") from None
    except OSError as error:
        raise UserError(where=where, found=f"cannot be read ({error.strerror})") from None
    data = parse_yaml(text, where=where)
    if data is None:
        return {}
    if not isinstance(data, dict):
        kind = "a list" if isinstance(data, list) else "a single value"
        do = "write options as 'samples: samples.tsv'"
        raise UserError(where=where, found=f"{kind} where options are expected", do=do)
    return data


def _problem(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "not valid YAML"
    if "'\\t'" in problem:
        return "a tab in the indentation"
    if problem.startswith("could not find expected ':'"):
        return "a ':' is missing"
    return problem


def _cure(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or ""
    if "'\\t'" in problem:
        return "use spaces"
    if "second time" in problem:
        return "keep one of them"
    return "check indentation, quotes and colons on this line and the one before"
