"""The health page says which engine recognises faces, and what to do where it is not the best one."""

from __future__ import annotations

import httpx
import pytest

from agent.paths import Paths
from tests.web.conftest import Served
from tests.web.lesson import report


def test_the_engine_is_named_and_nothing_else_while_all_is_well(
    visitor: httpx.Client, paths: Paths, served: Served
) -> None:
    report(
        paths, served.clock, "checkin", engine="sface-128-v1", engine_passed_over=[], people_to_enrol_again=0
    )
    page = visitor.get("/health").text
    assert "sface-128-v1" in page
    assert "models install" not in page
    assert "重新采集" not in page


def test_a_fallback_and_people_without_templates_are_told_with_the_remedy(
    visitor: httpx.Client, paths: Paths, served: Served
) -> None:
    why = "/var/lib/models/fr_detect.onnx: No such file"
    report(
        paths,
        served.clock,
        "checkin",
        engine="dlib-resnet-v1",
        engine_passed_over=[why],
        people_to_enrol_again=3,
    )
    page = visitor.get("/health").text
    assert "dlib-resnet-v1" in page
    assert "classroom-agent models install" in page
    assert why in page
    assert "3 人须重新采集" in page
    assert "3 people must enrol again" in visitor.get("/health?lang=en").text


@pytest.mark.parametrize("detail", [{}, {"engine": 7}, {"engine": "x", "people_to_enrol_again": "many"}])
def test_a_status_without_or_with_a_broken_engine_breaks_nothing(
    visitor: httpx.Client, paths: Paths, served: Served, detail: dict[str, object]
) -> None:
    report(paths, served.clock, "checkin", **detail)
    assert visitor.get("/health").status_code == 200
