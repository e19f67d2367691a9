"""A door without a camera: writes the runtime board as the check-in role does, for the screen's tests.

The pictures are drawn; nobody is on them.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from agent import board
from agent.checkin.answers import Answer, AnswerBoard, AnswerKind, DoorState, answer, mask
from agent.clock import Clock, SystemClock
from agent.paths import Paths

WIDTH, HEIGHT = 960, 540


def drawn(faces: list[tuple[int, int]]) -> bytes:
    """A doorway with drawn heads at `faces` (centre x, width), as JPEG."""
    image = np.full((HEIGHT, WIDTH, 3), (168, 172, 176), np.uint8)
    cv2.rectangle(image, (0, 470), (WIDTH, HEIGHT), (110, 120, 128), -1)
    cv2.rectangle(image, (60, 60), (240, 470), (140, 150, 160), -1)
    for x, width in faces:
        cv2.ellipse(image, (x, 470), (width, 170), 0, 180, 360, (120, 84, 60), -1)
        cv2.ellipse(image, (x, 240), (width // 2, round(width * 0.66)), 0, 0, 360, (150, 180, 214), -1)
        cv2.ellipse(image, (x, 190), (width // 2 + 6, width // 2), 0, 180, 360, (40, 40, 44), -1)
    return cv2.imencode(".jpg", image)[1].tobytes()


@dataclass
class DoorScreen:
    """Beats as the role does, every half second, until `stop`."""

    paths: Paths
    clock: Clock = field(default_factory=SystemClock)
    state: DoorState = "open"
    fault: str | None = None
    prompt: Answer | None = None
    faces: list[tuple[int, int]] = field(default_factory=list)
    """Centre x and width of each head in the picture; it gets the colours 1, 2, … in this order."""
    sees: bool = True
    """False: the board goes on, and no new picture comes."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.restart()

    def restart(self) -> None:
        """Go on as another process."""
        self.stop()
        self._board = AnswerBoard(self.paths.answers)
        self._stop.clear()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """As if killed: the board stays as it is."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()

    def give(self, kind: AnswerKind, *, name: str = "", colour: int | None = None) -> Answer:
        """An answer, as decided now."""
        with self._lock:
            given = replace(answer(kind), name=mask(name), colour=colour)
            return self._board.give(given, self.clock.now())

    def show(
        self,
        state: DoorState = "open",
        *,
        fault: str | None = None,
        prompt: Answer | None = None,
        faces: list[tuple[int, int]] | None = None,
    ) -> None:
        """How the door is from now on."""
        self.state, self.fault, self.prompt, self.faces = state, fault, prompt, faces or []
        self._publish()

    def _beat(self) -> None:
        while True:
            self._publish()
            if self._stop.wait(0.25):
                return

    def _publish(self) -> None:
        with self._lock:
            stamp = self.clock.now()
            self._board.show(self.state, self.prompt, stamp, fault=self.fault)
            if not self.sees:
                return
            faces = [
                {
                    "box": [x - width // 2, 150, width, round(width * 1.2)],
                    "colour": number,
                    "answer": None,
                }
                for number, (x, width) in enumerate(self.faces, 1)
            ]
            about = {"at_us": stamp.wall_us, "width": WIDTH, "height": HEIGHT, "faces": faces}
            board.publish_frame(self.paths.frames, "door", drawn(self.faces), about)
