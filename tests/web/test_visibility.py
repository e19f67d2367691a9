"""The verdict of a class hour on its lesson's page: seen, decided, taken back (R6)."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from agent.checkin.photos import PhotoAlbum
from agent.paths import Paths
from agent.store import visibility
from agent.store.database import Store
from agent.store.vault import Vault
from agent.store.visibility import DEVICE, Verdict, VerdictFrame, VerdictKind
from tests.clocks import ManualClock
from tests.web.conftest import PASSWORD, token_in
from tests.web.lesson import hold_lesson

JPEG = b"\xff\xd8\xff\xe0 a picture of nobody"


def state_verdict(
    store: Store, paths: Paths, session: str, verdict: VerdictKind, hour: int = 1
) -> tuple[Verdict, str]:
    """As the archive states it; returns it with the id of its picture."""
    start_us = store.one("SELECT planned_start_us FROM session WHERE id = ?", (session,))[0]
    data: dict[str, Any] = {"kind": "practical", "hour": hour, "start_us": start_us}
    data |= {"end_us": start_us + 2_700_000_000, "verdict": verdict, "reason": "neither_bound"}
    data |= {"measure": "crowd", "confidence": 0.95, "lower": 15, "upper": 21, "expected": 18}
    made = Verdict(
        str(uuid4()), session, hour, verdict, 15, 21, 18, DEVICE, "", start_us, True, None, (), data, {}
    )
    with store.transaction():
        visibility.insert_verdict(store, made)
        with PhotoAlbum(paths.photos, Vault(paths.keys)).kept(store, made.id, JPEG, start_us) as photo:
            frame = VerdictFrame(made.id, str(uuid4()), 0, 0, photo.id, is_kept=True)
            visibility.insert_frame(store, frame)
    return made, photo.id


def facts(store: Store, kind: str) -> list[dict[str, Any]]:
    return [
        json.loads(row["data"])
        for row in store.rows("SELECT data FROM fact WHERE type = ? ORDER BY id", (kind,))
    ]


@pytest.mark.rule("R6")
@pytest.mark.promise("I6")
def test_hr_looks_at_the_pictures_decides_and_takes_it_back(
    visitor: httpx.Client, store: Store, paths: Paths, clock: ManualClock
) -> None:
    lesson = hold_lesson(store, clock.wall_us)
    made, photo = state_verdict(store, paths, lesson.session, "uncertain")
    page = visitor.get(f"/sessions/{lesson.session}")
    assert "无法确定" in page.text and "可见 15 至 21 人，应到 18 人" in page.text
    form = {"token": token_in(page), "hour": "1", "seen": made.id, "reason": "回放看过", "password": PASSWORD}

    def decide(verdict: str, **other: str) -> str:
        address = f"/visibility/{lesson.session}/decide"
        answer = visitor.post(address, data={**form, "decision": verdict, **other})
        assert answer.status_code == 303
        return answer.headers["location"].split("decided=")[1].split("#")[0]

    assert decide("shown") == "unseen"
    opened = visitor.get(f"/visibility/frame/{photo}")
    assert (opened.content, opened.headers["content-type"]) == (JPEG, "image/jpeg")
    visitor.get(f"/visibility/frame/{photo}")
    assert facts(store, "access.verdict-frame-viewed") == [
        {"account": "hr", "photo": photo, "verdict_id": made.id}
    ]
    assert decide("shown", password="wrong") == "password"
    assert decide("shown", seen=str(uuid4())) == "visibility.moved"
    assert decide("shown", hour="x") == "form"
    assert decide("not_shown") == "decided"
    (now,) = visibility.verdicts_of(store, lesson.session)
    assert (now.verdict, now.device.verdict) == ("not_shown", "uncertain")
    english = visitor.get(f"/sessions/{lesson.session}?lang=en").text
    assert "HR staff's decision" in english and "The device's verdict" in english
    assert "2 class hours more and the class loses its subsidy" in visitor.get("/now?lang=en").text
    assert decide("uncertain", seen=now.in_force.id) == "decided"
    assert visibility.strikes(store, _class_of(store)).count == 0


def _class_of(store: Store) -> str:
    return str(store.one("SELECT id FROM class")[0])


@pytest.mark.rule("R6")
def test_what_the_device_is_sure_of_has_no_form(
    visitor: httpx.Client, store: Store, paths: Paths, clock: ManualClock
) -> None:
    lesson = hold_lesson(store, clock.wall_us)
    made, photo = state_verdict(store, paths, lesson.session, "not_shown")
    page = visitor.get(f"/sessions/{lesson.session}")
    assert "未显示全员" in page.text and f"/visibility/{lesson.session}/decide" not in page.text
    visitor.get(f"/visibility/frame/{photo}")
    form = {"token": token_in(page), "hour": "1", "seen": made.id, "reason": "x", "password": PASSWORD}
    answer = visitor.post(f"/visibility/{lesson.session}/decide", data={**form, "decision": "shown"})
    assert "visibility.certain" in answer.headers["location"]
    assert visitor.get(f"/visibility/frame/{uuid4()}").status_code == 404
