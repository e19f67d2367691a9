"""What the door says to people: one answer, on the runtime board for kiosk, lamp and voice.

An answer carries a masked name at most; who it truly is stands in the record. Kiosk, lamp and voice all
read the same `Answer`, so that nobody hears another thing than he sees.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

from agent import board
from agent.clock import Stamp
from agent.store.classes import PersonRole

HISTORY: Final = 8
"""Answers that stand on the board, the newest last: a reader that looks twice a second misses none of
eighty in a minute."""
COLOURS: Final = 6
"""People who stand there at once are told apart by a colour and its number, 1 to 6."""


class AnswerKind(StrEnum):
    """What is said. The first group are answers to a person; each is given once and ends the wait. The
    second are prompts, which last as long as their cause. The third concern everybody."""

    ACCEPTED = "accepted"
    CHECKED_OUT = "checked_out"
    ALREADY_CHECKED_IN = "already_checked_in"
    SEEN = "seen"
    """Present already, and drawn for a spot check that this look passed."""
    NOT_IN_CLASS = "not_in_class"
    UNKNOWN = "unknown"
    SUSPECTED_ATTACK = "suspected_attack"
    FAILED = "failed"
    """This person cannot be told by face now (two people look alike, or liveness could not be judged)."""
    CALLED = "called"
    """This person was drawn for a spot check (R17, R18) and is asked to come to the camera."""
    OTHER_WAY = "other_way"
    """Nobody can be told by face now: camera, model, disk or database."""

    LOOK_HERE = "look_here"
    CLOSER = "closer"
    TURN = "turn"
    LIGHT = "light"
    HOLD_STILL = "hold_still"

    NO_SESSION = "no_session"


PROMPTS: Final = frozenset(
    {
        AnswerKind.LOOK_HERE,
        AnswerKind.CLOSER,
        AnswerKind.TURN,
        AnswerKind.LIGHT,
        AnswerKind.HOLD_STILL,
    }
)

Direction = Literal["left", "right", "up", "down", "middle"]
"""Where a prompt asks somebody to turn or step, as that person sees it."""

TEXT: Final[dict[AnswerKind, tuple[str, str]]] = {
    AnswerKind.ACCEPTED: ("签到成功", "Checked in"),
    AnswerKind.CHECKED_OUT: ("签退成功", "Checked out"),
    AnswerKind.ALREADY_CHECKED_IN: ("已经签到过了", "Already checked in"),
    AnswerKind.SEEN: ("抽查已到", "Spot check passed"),
    AnswerKind.NOT_IN_CLASS: ("不是本班学员", "Not in this class"),
    AnswerKind.UNKNOWN: ("未识别，请用其他方式签到", "Not recognised: please check in the other way"),
    # Neutral: it may be a mistake, and people behind are listening. The record says what was suspected.
    AnswerKind.SUSPECTED_ATTACK: ("请本人正对摄像头", "Please face the camera yourself"),
    AnswerKind.FAILED: ("未能确认，请用其他方式签到", "Not certain: please check in the other way"),
    AnswerKind.CALLED: ("请看摄像头", "Please look into the camera"),
    AnswerKind.OTHER_WAY: ("请用其他方式签到", "Please check in the other way"),
    AnswerKind.LOOK_HERE: ("请看摄像头", "Look into the camera"),
    AnswerKind.CLOSER: ("请走近一些", "Come closer"),
    AnswerKind.TURN: ("请正对摄像头", "Face the camera"),
    AnswerKind.LIGHT: ("请面向光源", "Face the light"),
    AnswerKind.HOLD_STILL: ("请站稳不动", "Hold still"),
    AnswerKind.NO_SESSION: ("现在没有课", "No session now"),
}
"""Chinese, English: what each kind says unless something more exact is said."""

TURN_TO: Final[dict[Direction, tuple[str, str]]] = {
    "left": ("请向左转头", "Turn your head left"),
    "right": ("请向右转头", "Turn your head right"),
    "up": ("请抬头", "Look up"),
    "down": ("请低头", "Look down"),
    "middle": ("请正对摄像头", "Face the camera"),
}

COMPOUND_SURNAMES: Final = frozenset(
    {
        "欧阳",
        "司马",
        "上官",
        "诸葛",
        "东方",
        "皇甫",
        "尉迟",
        "公孙",
        "慕容",
        "令狐",
        "宇文",
        "长孙",
        "司徒",
        "夏侯",
        "端木",
        "轩辕",
        "南宫",
        "呼延",
        "百里",
        "东郭",
        "西门",
    }
)
"""Those that occur among people now living; `mask` and `called` keep such a surname whole."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One thing said to one person (or to everybody, with `track_id` None)."""

    kind: AnswerKind
    zh: str
    en: str
    track_id: int | None = None
    """The face in the door's picture that is addressed."""
    colour: int | None = None
    """Of that face's frame, 1..`COLOURS`: the same on the picture and on the answer."""
    name: str = ""
    """Masked (`mask`); "" where nobody is named."""
    called: str = ""
    """How the voice calls the person (`called`): surname and title, never more."""
    direction: Direction | None = None
    number: int = 0
    """Counts the answers of one process, from 1; 0 for prompts."""
    at_us: int = 0
    monotonic_ns: int = 0
    """CLOCK_MONOTONIC of the decision."""

    @property
    def is_prompt(self) -> bool:
        return self.kind in PROMPTS


def answer(
    kind: AnswerKind,
    *,
    text: tuple[str, str] | None = None,
    track_id: int | None = None,
    direction: Direction | None = None,
) -> Answer:
    """An answer of `kind` in its usual words, or in `text` (Chinese, English)."""
    if text is None and kind is AnswerKind.TURN and direction is not None:
        text = TURN_TO[direction]
    zh, en = text or TEXT[kind]
    return Answer(kind, zh, en, track_id=track_id, direction=direction)


MOST_HIDDEN: Final = 4
"""Asterisks of a masked name."""


def mask(name: str) -> str:
    """`name` with its middle hidden: 王小明 → 王*明, 王伟 → 王*, 欧阳小明 → 欧阳*明, Ann Lee → A****e. A long
    middle is no longer than `MOST_HIDDEN`: the screen at the door is narrow."""
    whole = "".join(name.split()) if not name.isascii() else " ".join(name.split())
    if len(whole) < 2:
        return "*" * len(whole)
    head = surname(whole)
    given = len(whole) - len(head)
    if given <= 1:
        return head + "*" * given if given else head[0] + "*" * (len(head) - 1)
    return head + "*" * min(given - 1, MOST_HIDDEN) + whole[-1]


def surname(name: str) -> str:
    """The part of a name without spaces that may be said; one letter of a name in Latin script."""
    return name[:2] if name[:2] in COMPOUND_SURNAMES and len(name) > 2 else name[:1]


def called(name: str, role: PersonRole | None) -> str:
    """`王老师`, `王同学`; "" for a name that is not written in Chinese: a voice would spell it."""
    head = surname("".join(name.split()))
    if not head or not all("\u4e00" <= character <= "\u9fff" for character in head):
        return ""
    return head + ("老师" if role == "teacher" else "同学")


DoorState = Literal["open", "no_session", "unavailable"]


class AnswerBoard:
    """Publishes what the door says as one JSON file (`Paths.answers`), replaced by atomic rename.

    `{run, state, fault, monotonic_ns, at_us, boot_id, prompt, answers}`: `run` changes with each process,
    `prompt` is what the nearest person should do now, `answers` are the last `HISTORY` with their numbers.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._run = uuid4().hex
        self._number = 0
        self._answers: deque[Answer] = deque(maxlen=HISTORY)
        self._state: DoorState = "unavailable"
        self._prompt: Answer | None = None
        self._fault: str | None = None

    def give(self, given: Answer, stamp: Stamp) -> Answer:
        """Number and publish an answer at once; returns it as published. OSError when the board is full
        (the answer is then published with the next)."""
        self._number += 1
        numbered = replace(given, number=self._number, at_us=stamp.wall_us, monotonic_ns=stamp.monotonic_ns)
        self._answers.append(numbered)
        self._publish(stamp)
        return numbered

    def show(
        self, state: DoorState, prompt: Answer | None, stamp: Stamp, *, fault: str | None = None
    ) -> None:
        """How the door is and what the nearest person should do. Call at least once a second: a reader
        takes a board that stands still for a dead door. `fault` names what is missing while `unavailable`
        (camera, model, engine, record, database). OSError when the board is full."""
        self._state, self._prompt, self._fault = state, prompt, fault
        self._publish(stamp)

    def _publish(self, stamp: Stamp) -> None:
        content: dict[str, Any] = {
            "run": self._run,
            "state": self._state,
            "fault": self._fault,
            "at_us": stamp.wall_us,
            "monotonic_ns": stamp.monotonic_ns,
            "boot_id": stamp.boot_id,
            "prompt": None if self._prompt is None else asdict(self._prompt),
            "answers": [asdict(each) for each in self._answers],
        }
        board.write_json(self._path, content)
