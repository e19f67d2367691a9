"""What people at the door get to see and hear: the answer first, then the picture."""

from __future__ import annotations

from agent.checkin.announcer import Announcer, PersonOf
from agent.checkin.door import View
from agent.checkin.picture import LivePicture
from agent.checkin.spot_check import Call
from agent.clock import Clock
from agent.log import get_logger
from models.images import BGRImage, Picture

log = get_logger(__name__)


class Front:
    """The door's live picture and its announcer. Neither can stop check-in."""

    def __init__(self, picture: LivePicture, announcer: Announcer, clock: Clock) -> None:
        self._picture = picture
        self._announcer = announcer
        self._clock = clock

    def names_from(self, person_of: PersonOf) -> None:
        """As `Announcer.names_from`."""
        self._announcer.names_from(person_of)

    def show(self, picture: Picture | BGRImage, view: View, session_id: str | None) -> None:
        """What the door saw and says. Answers go out before the picture is encoded, which takes longer."""
        stamp = self._clock.now()
        self._announcer.follow(view, "no_session" if session_id is None else "open", stamp)
        try:
            self._picture.show(picture, view, session_id, stamp, self._announcer.colours)
        except OSError as error:  # a full runtime folder costs the live picture, not the check-in
            log.warning("picture.unwritable", error=str(error))

    def film(self, image: Picture | BGRImage, fault: str) -> None:
        """Nobody can check in by face, and the camera is well: its picture goes on the board, for entries by
        PIN. Call at least once a second."""
        stamp = self._clock.now()
        self._announcer.unavailable(fault, stamp)
        try:
            self._picture.show(image, View(fault=fault), None, stamp)
        except OSError as error:
            log.warning("picture.unwritable", error=str(error))

    def call(self, call: Call) -> None:
        """As `Announcer.call`, now."""
        self._announcer.call(call, self._clock.now())

    def unavailable(self, fault: str) -> None:
        """Say that nobody can check in by face and what is missing. Call at least once a second."""
        stamp = self._clock.now()
        self._announcer.unavailable(fault, stamp)
        try:
            self._picture.unavailable(stamp)
        except OSError as error:
            log.warning("picture.unwritable", error=str(error))

    @property
    def faults(self) -> dict[str, str]:
        """Lamp or voice that does not work, and why."""
        return self._announcer.faults
