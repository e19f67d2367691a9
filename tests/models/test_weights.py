"""Model files: found without importing their package, hashed, refused when they are not the ones measured."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from models.faces import FALLBACK_ENGINE, choose_engine, load_engine
from models.self_test import TOLERANCE, self_test
from models.weights import ModelError, all_weights, verified, verified_path, weights

NAMES = ("dlib-resnet-v1", "dlib-5-landmarks")
PINNED = Path(__file__).resolve().parents[2] / "constraints.txt"


def test_the_package_of_every_file_is_of_the_version_that_is_installed() -> None:
    """Another version may ship another file, which would be refused."""
    pinned = PINNED.read_text(encoding="utf-8").splitlines()
    shipped = {row.package for row in all_weights() if row.package is not None}
    assert len(shipped) == 2
    assert shipped <= set(pinned)


@pytest.mark.parametrize("name", NAMES)
def test_the_installed_file_is_the_one_that_was_measured(name: str) -> None:
    path = verified_path(name)
    assert path.stat().st_size == weights(name).bytes
    assert weights(name).licence
    assert weights(name).source


@pytest.mark.promise("I9")
def test_a_missing_model_is_an_error_that_names_the_file_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match=r"fr_detect\.onnx.*classroom-agent models install"):
        load_engine("sface-128-v1", models_folder=tmp_path)
    with pytest.raises(ModelError, match=r"fr_detect\.onnx.*no models folder.*models install"):
        load_engine("sface-128-v1")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"shape_predictor_5_face_landmarks\.dat.*pip install"):
        load_engine("dlib-resnet-v1", models_folder=tmp_path)
    with pytest.raises(ModelError, match="pip install"):
        choose_engine(models_folder=tmp_path)


@pytest.mark.promise("I9")
def test_only_auto_passes_over_an_engine_and_says_why(tmp_path: Path) -> None:
    chosen = choose_engine("auto", models_folder=tmp_path)
    assert chosen.engine.name == FALLBACK_ENGINE
    assert len(chosen.passed_over) == 1
    assert "fr_detect.onnx" in chosen.passed_over[0]
    with pytest.raises(ModelError, match=r"fr_detect\.onnx"):
        choose_engine("sface-128-v1", models_folder=tmp_path)


@pytest.mark.promise("I9")
@pytest.mark.parametrize("damage", ["one-bit", "cut-short", "empty"])
def test_a_model_that_differs_is_an_error(tmp_path: Path, damage: str) -> None:
    for name in NAMES:
        path = verified_path(name)
        content = bytearray(path.read_bytes())
        if name == "dlib-resnet-v1":
            content[len(content) // 2] ^= damage == "one-bit"
            content = content[: {"one-bit": None, "cut-short": -1, "empty": 0}[damage]]
        (tmp_path / path.name).write_bytes(content)
    with pytest.raises(ModelError, match=r"resnet.*SHA-256 is .*expected"):
        load_engine(models_folder=tmp_path)


@pytest.mark.promise("I9")
def test_a_leftover_in_the_place_of_a_packages_file_is_named_to_be_removed(tmp_path: Path) -> None:
    """Installing the package again, the other remedy, would leave it there for good."""
    row = weights("sface-128-v1")
    (tmp_path / row.file).write_bytes(b"of a former version")
    with pytest.raises(ModelError, match="remove this file") as refused:
        verified(row.name, tmp_path)
    assert str(tmp_path / row.file) in str(refused.value)
    assert str(tmp_path / row.file) in refused.value.remedy_zh
    (tmp_path / row.file).unlink()
    assert verified(row.name, tmp_path).content


@pytest.mark.promise("I9")
def test_what_is_loaded_is_what_was_hashed(tmp_path: Path) -> None:
    """A file that is exchanged between hashing and loading does not get in."""
    for name in ("dlib-resnet-v1", "dlib-5-landmarks"):
        shutil.copy(verified_path(name), tmp_path)
    file = verified("dlib-5-landmarks", tmp_path)
    file.path.write_bytes(b"another")
    assert self_test("dlib-5-landmarks", file) < TOLERANCE
    with pytest.raises(ModelError, match="SHA-256"):
        verified("dlib-5-landmarks", tmp_path)


def test_an_engine_that_is_not_known_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="dlib-resnet-v1"):
        load_engine("arcface")


def test_loading_the_engine_imports_no_package_that_needs_pkg_resources() -> None:
    program = (
        "import sys; from models.faces import FALLBACK_ENGINE, choose_engine, load_engine; load_engine();"
        "assert not {'face_recognition', 'face_recognition_models', 'pkg_resources'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
