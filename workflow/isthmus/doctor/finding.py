"""What an examination of a site finds: remarks for people, and facts measured on the machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

Value = int | str | bool | None


class Kind(Enum):
    """How a remark is to be taken."""

    FINE = "fine"
    NOTE = "note"
    ERROR = "error"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Remark:
    """One line: what was looked at, what was found, what to do."""

    kind: Kind
    where: str
    found: str
    do: str = ""

    def __str__(self) -> str:
        do = f"; {self.do}" if self.do else ""
        return " ".join(f"{self.kind.value}: {self.where}: {self.found}{do}".split())


@dataclass
class Examination:
    """Remarks in the order in which they were made; measured facts by their key in a site's file (`packs.cores`)."""

    remarks: list[Remark] = field(default_factory=list)
    measured: dict[str, Value] = field(default_factory=dict)

    def fine(self, where: str, found: str) -> None:
        """All is well."""
        self.remarks.append(Remark(Kind.FINE, where, found))

    def note(self, where: str, found: str, do: str = "") -> None:
        """Worth knowing, no fault."""
        self.remarks.append(Remark(Kind.NOTE, where, found, do))

    def error(self, where: str, found: str, do: str) -> None:
        """A run would fail or suffer."""
        self.remarks.append(Remark(Kind.ERROR, where, found, do))

    def not_checked(self, where: str, why: str, do: str = "") -> None:
        """Nothing is known of it."""
        self.remarks.append(Remark(Kind.NOT_CHECKED, where, why, do))

    def measure(self, key: str, value: Any) -> None:
        """A fact that the machine has told; None means that there is no limit."""
        self.measured[key] = value

    @property
    def n_errors(self) -> int:
        """Remarks that a run would suffer from."""
        return sum(remark.kind is Kind.ERROR for remark in self.remarks)
