"""HR's orders from afar for a timetable: the rules and records of console and page, through the one gate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwe
from joserfc.jwk import OKPKey

from agent.classes.lesson_plan import plan_of, said
from agent.configuration.agreement import load_or_create_agreement_key
from agent.configuration.apply import Outcome, handle_message
from agent.configuration.document import ConfigurationError
from agent.configuration.message import MESSAGE_TYP, RefusalCode
from agent.configuration.order_file import read_orders
from agent.configuration.timetable_orders import carry_out_orders
from agent.evidence import jws
from agent.evidence.jws import sha256_hex
from agent.paths import Paths
from agent.store import classes as table
from agent.store import make_ups, timetable_edits
from agent.store.database import Store
from agent.store.vault import Vault
from tests.classes.desk import Desk
from tests.classes.documents import id_number
from tests.classes.test_as_held import DAY, Late
from tests.clocks import ManualClock
from tests.configuration.officer import SALT, Officer, commission
from tests.evidence.schemas import problems_of_facts, validator

SOURCE = "urn:classroom-agent:inst:room-101:node"
THEORY, PRACTICAL = "2026-11-21 08:30", "2026-11-21 14:00"
MOVE: dict[str, Any] = {
    "class": "dgjc-1",
    "action": "move",
    "lesson": PRACTICAL,
    "day": "2026-11-22",
    "start": "09:00",
}
CANCEL: dict[str, Any] = {"class": "dgjc-1", "action": "cancel", "lesson": THEORY, "reason": "停电"}


@pytest.fixture
def officer(store: Store, clock: ManualClock, paths: Paths) -> Officer:
    return commission(store, clock, paths)


@pytest.fixture
def desk(officer: Officer, store: Store, paths: Paths, clock: ManualClock) -> Desk:
    """The class's lessons; somebody of HR commissioned the device before."""
    return Desk(store, paths, clock)


def judge(desk: Desk, paths: Paths, content: bytes) -> Outcome:
    key = load_or_create_agreement_key(paths.keys)
    now = desk.clock.now()
    return handle_message(desk.store, Vault(paths.keys), key, SOURCE, now, content, simulated=True)


def order(desk: Desk, officer: Officer, *orders: dict[str, Any], **changed: Any) -> bytes:
    revision = desk.store.number("SELECT coalesce(max(revision), 0) FROM configuration")
    return officer.message_with_orders(*orders, **{"target": SOURCE, "base_revision": revision, **changed})


@pytest.mark.promise("I10")
def test_lessons_are_moved_added_and_called_off_with_the_records_of_any_edit(
    desk: Desk, officer: Officer, paths: Paths
) -> None:
    add: dict[str, Any] = {
        "class": "dgjc-1",
        "action": "add",
        "kind": "make_up",
        "day": "2026-11-23",
        "start": "09:00",
    }
    add |= {"end": "10:40", "class_hours": 2, "breaks": "10", "reason": "给学员甲补课"}
    move = MOVE | {"end": "12:15", "reason": "教师请假"}
    message = order(desk, officer, move, add, CANCEL)
    assert judge(desk, paths, message).applied
    assert desk.plans() == [
        "2026-11-22 09:00–12:15 room-101 实操 practical 4 课时 hours",
        "2026-11-23 09:00–10:40 room-101 补课 make-up 2 课时 hours 课间 breaks 09:45-09:55",
    ]
    (answer,) = desk.facts("configuration.applied")
    assert [each["action"] for each in answer["orders"]] == ["move", "add", "cancel"]
    changed = desk.facts("session.plan-changed")
    assert [each["edit"] for each in changed] == [each["edit"] for each in answer["orders"]]
    assert [each["source_sha256"] for each in changed] == [each["sha256"] for each in answer["orders"]]
    assert answer["orders"][0]["sha256"] == sha256_hex(
        json.dumps({"salt": SALT, **move}, ensure_ascii=False).encode()
    )
    reasons = {row.reason for row in timetable_edits.edits_of(desk.store, "dgjc-1")}
    assert reasons == {"教师请假", "给学员甲补课", "停电"}
    (dgjc,) = table.training_classes(desk.store)
    assert answer["orders"][2]["rules_not_met"] == sorted({each["rule"] for each in dgjc.warnings}) != []
    assert problems_of_facts(desk.store) == []
    kept = desk.store.rows("SELECT data FROM fact UNION ALL SELECT message FROM configuration")
    assert not any("学员甲" in str(row[0]) for row in kept), "neither record nor signed message names anybody"

    undo = {"class": "dgjc-1", "action": "undo", "edit": answer["orders"][0]["edit"][:8], "reason": "改错"}
    assert judge(desk, paths, order(desk, officer, undo)).applied
    assert said(plan_of(desk.now(desk.practical.id))).startswith(PRACTICAL)


@pytest.mark.promise("I10")
@pytest.mark.rule("R10")
def test_a_lesson_that_began_late_is_put_right_from_afar(
    store: Store, clock: ManualClock, paths: Paths, officer: Officer
) -> None:
    late, key = Late(store, clock), load_or_create_agreement_key(paths.keys)
    held = {"class": "C1", "action": "held", "lesson": f"{DAY} 08:30", "start": "09:00", "reason": "教师迟到"}

    def sent(end: str) -> Outcome:
        message = officer.message_with_orders(held | {"end": end}, target=SOURCE, base_revision=0)
        return handle_message(store, Vault(paths.keys), key, SOURCE, clock.now(), message, simulated=True)

    before = late.session
    refused = sent("10:41")
    assert not refused.applied and "10:40" in refused.detail and late.session == before
    assert sent("10:30").applied
    assert [each.standing for each in late.hours()] == ["held", "held"]
    (changed,) = store.rows("SELECT data FROM fact WHERE type = 'session.plan-changed'")
    assert len(json.loads(changed["data"])["video"]["segments"]) > 0
    assert problems_of_facts(store) == []


@pytest.mark.promise("I10")
def test_a_replay_a_stale_revision_and_a_wrong_signature_change_nothing(
    desk: Desk, officer: Officer, paths: Paths
) -> None:
    message = order(desk, officer, MOVE | {"reason": "教师请假"})
    late = order(desk, officer, CANCEL)
    assert judge(desk, paths, message).applied
    assert judge(desk, paths, message).code is RefusalCode.REPLAY
    outcome = judge(desk, paths, late)
    assert (outcome.code, outcome.detail) == (
        RefusalCode.STALE_REVISION,
        "made for revision 0, in force is 1",
    )
    wrong = Officer(OKPKey.generate_key("Ed25519"), officer.agreement_key, officer.clock)
    assert judge(desk, paths, order(desk, wrong, CANCEL)).code is RefusalCode.WRONG_KEY
    outcome = judge(
        desk, paths, swapped(officer, json.dumps(CANCEL), json.dumps(CANCEL | {"lesson": PRACTICAL}))
    )
    assert (outcome.code, outcome.detail) == (
        RefusalCode.INVALID,
        "an order is not the one that was signed",
    )
    assert desk.now(desk.theory.id).state == "planned"
    assert len(desk.facts("session.plan-changed")) == 1


def swapped(officer: Officer, signed: str, carried: str) -> bytes:
    """A message whose envelope carries another order than the one that HR signed."""
    payload = officer.payload(
        target=SOURCE, base_revision=1, values={}, orders=(sha256_hex(signed.encode()),)
    )
    body, kid = payload.model_dump_json().encode(), officer.key.thumbprint()
    message = jws.sign(officer.key, kid, MESSAGE_TYP, body).decode()
    envelope = json.dumps({"message": message, "classes": [], "orders": [carried]}).encode()
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": officer.agreement_key.thumbprint()}
    algorithms = ["ECDH-ES", "A256GCM"]
    return jwe.encrypt_compact(header, envelope, officer.agreement_key, algorithms).encode()


@pytest.mark.promise("I6")
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (MOVE, "orders[2] move: --reason"),
        (CANCEL | {"lesson": "2026-11-21 09:00"}, "orders[2] cancel: 2026-11-21 09:00: 没有或不止一次课"),
        (CANCEL | {"lesson": "学员甲"}, "orders[2].lesson: 应写作 / expected 2026-11-21 08:30"),
        (CANCEL | {"salt": "short"}, "orders[2].salt: 应写作 / expected 22…64"),
        (CANCEL | {"day": "morgen"}, "orders[2].day: 应写作 / expected 2026-11-21"),
        (CANCEL | {"学员甲": "x"}, "orders[2]: 不认识的项"),
        (CANCEL | {"class": "nobody-1"}, "orders[2] cancel: 2026-11-21 08:30: 没有或不止一次课"),
        ({"class": "dgjc-1"}, "orders[2].action: 缺少 / is missing"),
        (MOVE | {"reason": "x", "day": "2026-11-20"}, "lies in the past"),
        (MOVE | {"reason": "x", "room": "cellar"}, "orders[2] move: 2026-11-22 09:00–12:00 cellar"),
        (MOVE | {"reason": "x", "day": "2026-11-23", "start": "08:30"}, "the room is taken by"),
        (
            {"class": "dgjc-1", "action": "make_up", "lesson": "2026-11-23 08:30"}
            | {"missed": [f"{THEORY}:1"], "people": ["学员甲", "王某"]},
            "orders[2] make_up: '…': 没有或不止一人",
        ),
        (
            {"class": "dgjc-1", "action": "make_up", "lesson": "2026-11-23 08:30"}
            | {"missed": [f"{THEORY}:1"], "people": ["王\u3000某", "王某" * 30]},
            "orders[2] make_up: '…': 没有或不止一人",
        ),
        (MOVE | {"reason": "x", "day": "9999-12-31", "start": "23:00"}, "orders[2] move: 日期写成"),
    ],
)
def test_one_wrong_order_refuses_them_all_and_names_thing_and_remedy_but_nobody(
    desk: Desk, officer: Officer, paths: Paths, wrong: dict[str, Any], says: str
) -> None:
    good: dict[str, Any] = {
        "class": "dgjc-1",
        "action": "add",
        "kind": "make_up",
        "day": "2026-11-23",
        "start": "08:30",
    }
    good |= {"end": "10:00", "class_hours": 2, "reason": "补课"}
    plans = desk.plans()
    outcome = judge(desk, paths, order(desk, officer, good, wrong))
    assert outcome.code is RefusalCode.INVALID
    assert says in outcome.detail, outcome.detail
    assert desk.plans() == plans and desk.facts("session.plan-changed") == []
    (refused,) = desk.facts("configuration.refused")
    assert not any(name in json.dumps(refused, ensure_ascii=False) for name in ("学员甲", "王某", "u3000某"))
    assert problems_of_facts(desk.store) == []


@pytest.mark.promise("I6")
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (CANCEL, r"orders\[1\].salt: 缺少"),
        (CANCEL | {"salt": SALT, "reason": f"学员甲 {id_number(3)}"}, "--reason: 须写明理由.*without an ID"),
    ],
    ids=["its hash would confirm a guessed name", "an ID number that came by hand"],
)
def test_what_would_tell_of_a_person_is_refused_though_it_did_not_come_over_the_network(
    desk: Desk, wrong: dict[str, Any], says: str
) -> None:
    text = json.dumps(wrong, ensure_ascii=False)
    with pytest.raises(ConfigurationError, match=says), desk.store.transaction():
        carry_out_orders(desk.store, desk.clock.now(), [text], room="room-101", simulated=True)
    assert desk.now(desk.theory.id).state == "planned"
    assert timetable_edits.edits_of(desk.store, "dgjc-1") == []


@pytest.mark.rule("R5")
@pytest.mark.promise("I6")
def test_a_make_up_lesson_is_bound_by_name_and_a_refusal_repeats_no_name(
    desk: Desk, officer: Officer, paths: Paths
) -> None:
    desk.clock.advance(4 * 3600)
    with desk.store.transaction():
        table.set_open(desk.store, desk.theory.id, desk.theory.planned_start_us)
        table.set_closed(desk.store, desk.theory.id, desk.theory.planned_end_us, "planned_end")
    add: dict[str, Any] = {
        "class": "dgjc-1",
        "action": "add",
        "kind": "make_up",
        "day": "2026-11-23",
        "start": "09:00",
    }
    add |= {"end": "10:30", "class_hours": 2, "reason": "补课"}
    bind: dict[str, Any] = {"class": "dgjc-1", "action": "make_up", "lesson": "2026-11-23 09:00"}
    bind |= {"missed": [f"{THEORY}:2"], "people": ["学员甲"]}
    assert judge(desk, paths, order(desk, officer, add, bind)).applied
    (answer,) = desk.facts("configuration.applied")
    assert (answer["orders"][1]["hours"], answer["orders"][1]["edit"]) == (1, None)
    assert len(make_ups.made_up(desk.store, "dgjc-1")) == 1
    outcome = judge(desk, paths, order(desk, officer, bind))
    assert "第2课时 hour 2 …: 已安排补课：2026-11-23 09:00" in outcome.detail
    release = {"class": "dgjc-1", "action": "release", "lesson": "2026-11-23 09:00"}
    assert judge(desk, paths, order(desk, officer, release)).applied
    assert make_ups.made_up(desk.store, "dgjc-1") == []
    assert problems_of_facts(desk.store) == []


def test_an_officers_file_is_read_as_people_write_toml_and_its_errors_are_named(tmp_path: Path) -> None:
    file = tmp_path / "orders.toml"
    file.write_text(
        '[[orders]]\nclass = "dgjc-1"\naction = "move"\nlesson = 2026-11-21 14:00:00\n'
        'day = 2026-11-22\nstart = 09:00:00\nend = "12:15"\nreason = "教师请假"\n',
        encoding="utf-8",
    )
    (text,) = read_orders(file)
    read = json.loads(text)
    assert list(validator("timetable-order").iter_errors(read)) == []
    salt = read.pop("salt")
    assert read == MOVE | {"end": "12:15", "reason": "教师请假"}
    (again,) = read_orders(file)
    assert json.loads(again)["salt"] != salt, "at random, or a name could be tried against the hash"
    for wrong, says in (
        ("", r"1 to 50 \[\[orders\]\]"),
        ("[[orders]]\nclass = 3\n", r"orders\[1\].class.*\n.*action.*\n.*class = 3"),
        ('[[orders]]\nclass = "a"\naction = "dance"\n', "expected add move"),
        ('[[orders]]\nclass = "a"\naction = "cancel"\ncolour = "red"\n', "unknown field"),
        ("[[orders]\n", "not valid TOML"),
        ("orders = 1\n", "nothing else"),
    ):
        file.write_text(wrong, encoding="utf-8")
        with pytest.raises(ConfigurationError, match=says):
            read_orders(file)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_orders(tmp_path / "none.toml")


def test_a_lesson_ordered_from_afar_ends_on_the_next_day_where_that_is_said(
    desk: Desk, officer: Officer, paths: Paths
) -> None:
    late = MOVE | {"start": "20:00", "reason": "晚课"}
    outcome = judge(desk, paths, order(desk, officer, late | {"end": "00:30"}))
    assert not outcome.applied and "次日00:30" in outcome.detail
    assert judge(desk, paths, order(desk, officer, late | {"end": "次日00:30"})).applied
    assert "2026-11-22 20:00–次日 next day 00:30 room-101 实操 practical 4 课时 hours" in desk.plans()
