"""Tells people what the door decided: on the board for the kiosk, by lamp and buzzer, by voice.

Follows what the door sees picture by picture. An answer is said once, at once, and to the person whom it
concerns: by surname, and by the colour of that face's frame on the screen. A prompt goes to whoever stands
nearest. Nothing here can stop check-in.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from agent.checkin.answers import COLOURS, Answer, AnswerBoard, AnswerKind, DoorState, answer, called, mask
from agent.checkin.attendant import Reply
from agent.checkin.door import View
from agent.checkin.gate import REMEDY, GateReason
from agent.checkin.outlet import Outlet
from agent.checkin.signals import SHOWN_NS, resting_signal, sentence, signal_of
from agent.checkin.spot_check import Call
from agent.clock import Stamp
from agent.log import get_logger
from agent.store.classes import PersonRole
from drivers.indicator import Signal
from drivers.voice import Language

REPEAT_NS: Final = 8_000_000_000
"""The same answer to the same person is not said again within this time: a face that is lost and found again
is one visit to the person."""
PROMPT_AFTER_NS: Final = 600_000_000
"""A prompt lasts so long before it is said: people who walk up need none."""
SPOKEN_AFTER_NS: Final = 1_500_000_000
SPOKEN_AGAIN_NS: Final = 6_000_000_000
STILL_ALIVE_NS: Final = 1_000_000_000

_PROMPT_OF: Final = {
    GateReason.TAKEN: AnswerKind.LOOK_HERE,
    GateReason.TOO_SMALL: AnswerKind.CLOSER,
    GateReason.CUT_OFF: AnswerKind.LOOK_HERE,
    GateReason.TURNED: AnswerKind.TURN,
    GateReason.TILTED: AnswerKind.TURN,
    GateReason.BLURRED: AnswerKind.HOLD_STILL,
    GateReason.TOO_DARK: AnswerKind.LIGHT,
    GateReason.TOO_BRIGHT: AnswerKind.LIGHT,
    GateReason.FLAT: AnswerKind.LIGHT,
}

_PRESENT: Final = frozenset({AnswerKind.ACCEPTED, AnswerKind.ALREADY_CHECKED_IN})
_SAID_BEFORE: Final = (AnswerKind.ACCEPTED, AnswerKind.SEEN, AnswerKind.CHECKED_OUT)
"""After one of these "already checked in" is no news, and over "seen" or "good-bye" a contradiction."""
_NAMED: Final = _PRESENT | {AnswerKind.CHECKED_OUT, AnswerKind.SEEN, AnswerKind.NOT_IN_CLASS}

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Spoken:
    """One sentence for the voice."""

    prompt: str
    text: str


@dataclass(slots=True)
class _Prompting:
    """The prompt that stands, and since when."""

    answer: Answer
    since_ns: int
    spoken_ns: int | None = None


PersonOf = Callable[[str], tuple[str, PersonRole | None] | None]
"""Name and role of a person; None: unknown."""


class Announcer:
    """One door's. One thread."""

    def __init__(
        self,
        board: AnswerBoard,
        *,
        lamp: Outlet[Signal] | None = None,
        voice: Outlet[Spoken] | None = None,
        language: Language = "zh",
        is_quiet: Callable[[int], bool] = lambda wall_us: False,
        is_warned: Callable[[Stamp], bool] = lambda stamp: False,
    ) -> None:
        """`is_warned`: whether the watch role doubts that the recording shows everybody."""
        self._board = board
        self._person_of: PersonOf = lambda person_id: None
        self._lamp = lamp
        self._voice = voice
        self._language = language
        self._is_quiet = is_quiet
        self._is_warned = is_warned
        self._warned, self._asked_ns = False, 0
        self._colours: dict[int, int] = {}
        self._replied: dict[int, Reply] = {}
        self._said: dict[tuple[str, AnswerKind], int] = {}
        self._prompting: _Prompting | None = None
        self._answered_ns: int | None = None
        self._shown: tuple[DoorState, Answer | None] | None = None
        self._shown_ns = 0
        self._signal: Signal | None = None

    def names_from(self, person_of: PersonOf) -> None:
        """Name people by `person_of` from now on (it may raise sqlite3.Error)."""
        self._person_of = person_of

    def follow(self, view: View, state: DoorState, stamp: Stamp) -> None:
        """Say what is new in `view`. Call for every picture, as soon as the door has looked at it."""
        tracks = {face.track_id for face in view.faces} | view.answers.keys()
        self._colour(tracks)
        self._replied = {track: reply for track, reply in self._replied.items() if track in tracks}
        for track, reply in view.answers.items():
            if self._replied.get(track) is not reply:
                self._replied[track] = reply
                self._give(reply, stamp)
        state = "unavailable" if view.fault else state
        self._show(state, self._prompt(view, stamp) if state == "open" else None, view.fault, stamp)

    def call(self, call: Call, stamp: Stamp) -> None:
        """Ask somebody who was drawn for a spot check to come and look into the camera."""
        said = self._named(answer(AnswerKind.CALLED, text=call.text), call.person_id)
        try:
            said = self._board.give(said, stamp)
        except OSError as error:  # a full runtime folder: lamp and voice still say it
            log.warning("answer.not_shown", error=str(error))
        self._answered_ns = stamp.monotonic_ns
        self._light(signal_of(said))
        self._speak(said, stamp)

    def unavailable(self, fault: str, stamp: Stamp) -> None:
        """Nobody can check in by face: say so until `follow` is called again. Call at least once a second."""
        self._replied.clear()
        self._prompting = None
        self._show("unavailable", None, fault, stamp)

    @property
    def colours(self) -> dict[int, int]:
        """Colour (1..`COLOURS`) of each face's frame in the picture last followed, by track."""
        return self._colours

    @property
    def faults(self) -> dict[str, str]:
        """Outlets that do not work and why, for the status board."""
        outlets = {"indicator": self._lamp, "voice": self._voice}
        return {name: outlet.fault for name, outlet in outlets.items() if outlet and outlet.fault}

    def close(self) -> None:
        """Dark and silent."""
        for outlet in (self._lamp, self._voice):
            if outlet is not None:
                outlet.close()

    def _colour(self, tracks: set[int]) -> None:
        """A face keeps its colour as long as it is followed; more people than colours share the last."""
        self._colours = {track: colour for track, colour in self._colours.items() if track in tracks}
        for track in sorted(tracks - self._colours.keys()):
            free = set(range(1, COLOURS + 1)) - set(self._colours.values())
            self._colours[track] = min(free, default=COLOURS)

    def _give(self, reply: Reply, stamp: Stamp) -> None:
        now_ns = stamp.monotonic_ns
        addressee = reply.person_id or f"track {reply.track_id}"
        kind = AnswerKind.ACCEPTED if reply.answer in _PRESENT else reply.answer
        self._said = {key: at for key, at in self._said.items() if now_ns - at < REPEAT_NS}
        said_by = _SAID_BEFORE if reply.answer is AnswerKind.ALREADY_CHECKED_IN else (kind,)
        if any((addressee, one) in self._said for one in said_by):
            return
        self._said[addressee, kind] = now_ns
        given = replace(self._addressed(reply), colour=self._colours.get(reply.track_id))
        try:
            given = self._board.give(given, stamp)
        except OSError as error:  # a full runtime folder: lamp and voice still say it
            log.warning("answer.not_shown", error=str(error))
        self._answered_ns = now_ns
        self._light(signal_of(given))
        self._speak(given, stamp)

    def _addressed(self, reply: Reply) -> Answer:
        """The answer with its person's masked name. Whoever holds up a picture learns no name by it."""
        said = answer(reply.answer, track_id=reply.track_id)
        if reply.person_id is None or reply.answer not in _NAMED:
            return said
        return self._named(said, reply.person_id)

    def _named(self, said: Answer, person_id: str) -> Answer:
        try:
            person = self._person_of(person_id)
        except sqlite3.Error as error:  # an answer without a name is an answer still
            log.warning("name.unreadable", error=str(error))
            return said
        if person is None:
            return said
        name, role = person
        return replace(said, name=mask(name), called=called(name, role))

    def _prompt(self, view: View, stamp: Stamp) -> Answer | None:
        """What the nearest of those without an answer should do."""
        waiting = [face for face in view.faces if face.track_id not in view.answers]
        if not waiting:
            self._prompting = None
            return None
        nearest = max(waiting, key=lambda face: face.box.width)
        asked = view.prompts.get(nearest.track_id)
        wanted = asked or answer(_PROMPT_OF[nearest.reason], text=REMEDY[nearest.reason])
        colour = self._colours.get(nearest.track_id)
        wanted = replace(wanted, track_id=nearest.track_id, colour=colour)
        if self._prompting is None or self._prompting.answer != wanted:
            self._prompting = _Prompting(wanted, stamp.monotonic_ns)
        lasted_ns = stamp.monotonic_ns - self._prompting.since_ns
        if asked is None and lasted_ns < PROMPT_AFTER_NS:
            return self._shown[1] if self._shown else None
        spoken_ns = self._prompting.spoken_ns
        is_due = spoken_ns is None or stamp.monotonic_ns - spoken_ns >= SPOKEN_AGAIN_NS
        is_steady = lasted_ns >= SPOKEN_AFTER_NS and nearest.reason is not GateReason.TAKEN
        if is_due and (asked is not None or is_steady):
            self._prompting.spoken_ns = stamp.monotonic_ns
            self._speak(wanted, stamp)
        return wanted

    def _show(self, state: DoorState, prompt: Answer | None, fault: str | None, stamp: Stamp) -> None:
        now_ns = stamp.monotonic_ns
        if (state, prompt) != self._shown or now_ns - self._shown_ns >= STILL_ALIVE_NS:
            self._shown, self._shown_ns = (state, prompt), now_ns
            try:
                self._board.show(state, prompt, stamp, fault=fault)
            except OSError as error:  # tried again within a second
                log.warning("answer.not_shown", error=str(error))
        if self._answered_ns is None or now_ns - self._answered_ns >= SHOWN_NS:
            self._light(resting_signal(state, prompt, warned=self._doubted(stamp)))

    def _doubted(self, stamp: Stamp) -> bool:
        """Asked each second: what is on the board is read from a file."""
        if stamp.monotonic_ns - self._asked_ns >= STILL_ALIVE_NS:
            self._asked_ns, self._warned = stamp.monotonic_ns, self._is_warned(stamp)
        return self._warned

    def _light(self, signal: Signal) -> None:
        if self._lamp is not None and (signal.beep is not None or signal != self._signal):
            self._lamp.put(signal)
        self._signal = signal

    def _speak(self, said: Answer, stamp: Stamp) -> None:
        if self._voice is not None and not self._is_quiet(stamp.wall_us):
            spoken = Spoken(said.kind.value, sentence(said, self._language))
            self._voice.put(spoken, yields=said.is_prompt)
