"""Bring one file to this machine: a wheel of the package index by pip, or a URL.

pip is used as it is configured here, so mirrors, proxies and local indexes work; Isthmus knows no address.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from isthmus.errors import UserError
from isthmus.fetch.catalogue import Source

# What pip's messages hold when the network is the reason, in lower case.
_OFFLINE = ("connection", "timeout", "timed out", "name resolution", "failed to resolve", "proxyerror")
_ONLINE = "fetch on a machine with network access (on a cluster: a login node)"
_TIMEOUT_S = 30
_CHUNK = 1 << 20


def download(source: Source, folder: Path, where: str) -> Path:
    """Download what a source names into a folder; returns the file."""
    if source.package is not None:
        return download_wheel(source, folder, where)
    assert source.url is not None  # a Source has one of the two
    return download_url(source.url, folder, where)


def download_wheel(source: Source, folder: Path, where: str) -> Path:
    """Download a wheel without its dependencies; nothing is installed and nothing of it is run."""
    command = [
        *pip_command(where),
        *("download", "--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--quiet"),
        *("--disable-pip-version-check", "--no-input", "--retries", "2"),
        *("--dest", str(folder), f"{source.package}=={source.version}"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    path = folder / str(source.file)
    if done.returncode == 0 and path.is_file():
        return path
    raise _pip_failed(source, done.stderr, where)


def pip_command(where: str) -> list[str]:
    """The pip of this Python, or else the pip on the PATH."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    for name in ("pip3", "pip"):
        program = shutil.which(name)
        if program:
            return [program]
    raise UserError(
        where=where, found="pip is not there to download the data", do=f"run `{sys.executable} -m ensurepip`"
    )


def download_url(url: str, folder: Path, where: str) -> Path:
    """Download a URL (http, https or file)."""
    path = folder / (url.rpartition("/")[2] or "download")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer, path.open("wb") as file:
            shutil.copyfileobj(answer, file, _CHUNK)
    except urllib.error.HTTPError as error:
        raise UserError(where=where, found=f"{url} answers {error.code}", do="try again later") from error
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise UserError(where=where, found=f"{url} cannot be reached ({error})", do=_ONLINE) from error
    return path


def _pip_failed(source: Source, stderr: str, where: str) -> UserError:
    package = f"{source.package} {source.version}"
    if "No space left" in stderr:
        return UserError(where=where, found="the disk is full", do="free space")
    if any(sign in stderr.lower() for sign in _OFFLINE):
        return UserError(where=where, found=f"the package index with {package} cannot be reached", do=_ONLINE)
    lines = [line for line in stderr.splitlines() if line.startswith("ERROR:")] or ["pip gave no reason"]
    found = f"pip did not get {package} ({lines[-1].removeprefix('ERROR:').strip()})"
    return UserError(
        where=where, found=found, do="check pip's configuration (`pip config list`) and the network"
    )
