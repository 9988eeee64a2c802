"""What can go wrong, told so that the reader knows what to do.

UserError   the reader can mend it: exit code 1, one line each
  UserErrors  several of them at once
anything else is our fault: exit code 2
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

EXIT_FINE = 0
EXIT_USER = 1
EXIT_OURS = 2


class UserError(Exception):
    """One fault that the user can mend, as one line: where, what was found, what to do."""

    def __init__(self, *, where: str, found: str, do: str = "") -> None:
        self.where = where
        self.found = found
        self.do = do
        line = f"{where}: {found}" + (f"; {do}" if do else "")
        super().__init__(" ".join(line.split()))

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders between workers and their parent; keyword-only arguments need help.
        return (_rebuild_user_error, (self.where, self.found, self.do))


class UserErrors(UserError):
    """Several faults found together; each is reported on a line of its own."""

    def __init__(self, errors: Sequence[UserError]) -> None:
        self.errors = tuple(errors)
        first = errors[0]
        super().__init__(where=first.where, found=first.found, do=first.do)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)

    def __reduce__(self) -> tuple[object, ...]:
        return (UserErrors, (self.errors,))


def _rebuild_user_error(where: str, found: str, do: str) -> UserError:
    return UserError(where=where, found=found, do=do)


_PLACE = {
    errno.ENOSPC: ("no space is left on the device", "make room"),
    errno.EDQUOT: ("the quota is used up", "make room"),
    errno.EROFS: ("it has become read-only", "make it writable, or ask the site"),
}


def fault_of_place(error: BaseException | None) -> UserError | None:
    """The fault in the reader's words, if an error, or what caused it, is of the file system and not of the program.

    Libraries put the system's message into errors of their own, so that counts as well.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        for number, (found, do) in _PLACE.items():
            if (isinstance(error, OSError) and error.errno == number) or os.strerror(number) in str(error):
                return UserError(
                    where="the file system of the results",
                    found=found,
                    do=f"{do}, then run again: it goes on where it stopped",
                )
        error = error.__cause__ or error.__context__
    return None


def raise_all(errors: Sequence[UserError]) -> None:
    """Raise the faults, if there are any, as one exception."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise UserErrors(errors)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?`, or the known names when nothing is close; empty when there are none.

    Parameters
    ----------
    name
        What the user wrote.
    known
        What would have been right.
    """
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known are {', '.join(names)}" if names else ""


def n_of(n: int, what: str) -> str:
    """`1 block`, `2 blocks`, `1,024 blocks`: a number of things whose plural ends in s."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
