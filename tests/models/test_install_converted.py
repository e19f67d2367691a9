"""Model files that are converted when they are installed, by a package made by hand: without a network."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import app
from models.install import install
from models.nanodet import WEIGHTS as NANODET
from models.self_test import figures
from models.weights import ModelFile, Weights, manifest, verified, weights
from tests.conftest import REPOSITORY
from tests.models.tfjs_network import small_network

ARCHIVE = "scope-small-1.0.0.tgz"
NETWORK = small_network()
FILES = {"package/small/net.json": NETWORK.file(), "package/small/net.bin": NETWORK.data}
ROW = """
[weights.small]
file = "small.onnx"
npm = "@scope/small@1.0.0"
optional = true
bytes = {bytes}
sha256 = "{sha256}"
self_test = {figures}
use_zh = "-"
use_en = "-"
source = "-"
licence = "-"
measured = "-"
"""
MEMBER = """
[[weights.small.converted_from]]
member = "{path}"
bytes = {bytes}
sha256 = "{sha256}"
"""


def quiet(zh: str, en: str) -> None:
    """Progress that no test looks at."""


def known_as(content: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let weights.toml have one row: the network made by hand, converted to `content`."""
    expected = figures("small", ModelFile(Path("small.onnx"), content))
    text = ROW.format(bytes=len(content), sha256=hashlib.sha256(content).hexdigest(), figures=expected)
    for member, data in FILES.items():
        text += MEMBER.format(path=member, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    path = folder / "weights.toml"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setattr("models.weights.MANIFEST", path)
    manifest.cache_clear()


@pytest.fixture
def row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Weights]:
    known_as(NETWORK.converted("small"), tmp_path, monkeypatch)
    yield weights("small")
    monkeypatch.undo()
    manifest.cache_clear()


def archive(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / ARCHIVE, "w:gz") as file:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return folder / ARCHIVE


def npm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program `npm` that answers with the archive; the file where it writes what it was asked."""
    packed, program = archive(folder / "registry", FILES), folder / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh
echo "$@" >> {folder}/asked
while [ "$1" != --pack-destination ]; do shift; done
cp {packed} "$2"
""",
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return folder / "asked"


def test_by_npm_only_when_named_and_then_as_pinned(
    row: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = npm(tmp_path, monkeypatch)
    target = tmp_path / "models"
    done = install(target, quiet)
    assert (done.placed, done.missing) == ((), ()), "optional ones are neither fetched nor missed"
    assert not asked.exists()
    assert install(target, quiet, names=["small"]).placed == ("small",)
    assert asked.read_text(encoding="utf-8").split()[-1] == "@scope/small@1.0.0"
    assert [path.name for path in target.iterdir()] == ["small.onnx"]
    assert verified("small", target).content == NETWORK.converted("small")
    assert install(target, quiet, names=["small"]).already == ("small",)


@pytest.mark.parametrize("brought", ["the archive", "its files", "what it was converted to"])
def test_from_a_folder_however_it_was_brought(row: Weights, tmp_path: Path, brought: str) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    if brought == "the archive":
        archive(stick, FILES)
    elif brought == "its files":
        for name, content in FILES.items():
            (stick / Path(name).name).write_bytes(content)
    else:
        (stick / row.file).write_bytes(NETWORK.converted("small"))
    assert install(tmp_path / "models", quiet, source=stick).placed == ("small",)
    assert verified("small", tmp_path / "models")


@pytest.mark.promise("I9")
@pytest.mark.parametrize("member", sorted(FILES))
def test_a_source_that_differs_is_named_and_not_converted(row: Weights, tmp_path: Path, member: str) -> None:
    content = bytearray(FILES[member])
    content[len(content) // 2] ^= 1
    archive(tmp_path / "stick", {**FILES, member: bytes(content)})
    refused = install(tmp_path / "models", quiet, source=tmp_path / "stick").refused
    assert re.search(rf"{member}: SHA-256 .*expected", str(refused["small"]))
    assert not (tmp_path / "models").exists()


@pytest.mark.promise("I9")
def test_a_conversion_with_another_result_is_not_placed(
    row: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_as(NETWORK.converted("another name"), tmp_path, monkeypatch)
    archive(tmp_path / "stick", FILES)
    refused = install(tmp_path / "models", quiet, source=tmp_path / "stick").refused
    assert re.search(r"small\.onnx.*not what was measured", str(refused["small"]))
    assert not (tmp_path / "models").exists()


@pytest.mark.promise("I12")
def test_a_link_among_the_sources_is_not_followed(row: Weights, tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    for name, content in FILES.items():
        (tmp_path / Path(name).name).write_bytes(content)
        (tmp_path / "stick" / Path(name).name).symlink_to(tmp_path / Path(name).name)
    refused = install(tmp_path / "models", quiet, source=tmp_path / "stick").refused
    assert re.search("plain file", str(refused["small"]))


@pytest.mark.parametrize("counter", ["head-net", "nanodet"])
def test_the_settings_say_whether_nanodet_is_wanted(tmp_path: Path, counter: str) -> None:
    example = (REPOSITORY / "config" / "agent.toml").read_text(encoding="utf-8")
    config, stick = tmp_path / "agent.toml", tmp_path / "stick"
    stick.mkdir()
    config.write_text(
        example.replace('counter = "head-net"', f'counter = "{counter}"').replace(
            'models_folder = "/var/lib/classroom-agent/models"', f'models_folder = "{tmp_path}/models"'
        ),
        encoding="utf-8",
    )
    done = CliRunner().invoke(app, ["--config", str(config), "models", "install", "--from", str(stick)])
    assert done.exit_code == 1
    assert "still missing: rfb-320" in done.output
    assert (f"still missing: {NANODET}" in done.output) == (counter == "nanodet")


def test_a_model_that_nobody_knows_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["models", "install", "yolo", "--folder", str(tmp_path / "models")])
    assert done.exit_code == 1
    assert "'yolo'" in done.output and NANODET in done.output and "head-net-v1" not in done.output
