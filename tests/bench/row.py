"""The process of one row: calls the function that it is told, writes down what it returns."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def main(request: str) -> None:
    """Run the function named in a request (JSON)."""
    asked = json.loads(request)
    module, _, function = asked["target"].partition(":")
    run = getattr(importlib.import_module(f"bench.{module}"), function)
    values = run(scratch=Path(asked["scratch"]), **asked["arguments"])
    Path(asked["result"]).write_text(json.dumps(values), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
