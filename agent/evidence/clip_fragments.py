"""Which parts of a clip's video are as recorded, and which are altered, missing, added or moved.

Judged by the hashes of the signed list alone: where a part differs, the next place is sought at which a whole
fragment of the list begins, so that one damaged fragment does not hide what follows. Nothing is decoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from agent import bmff

Fault = Literal["altered", "missing", "added", "moved"]
HASHED_AT_MOST = 8
"""Times a video's length: whole it is hashed once, damaged a little more. One made up of thousands of boxes
that each claim the rest of the file would else be hashed for hours."""


@dataclass(frozen=True, slots=True)
class BadPart:
    """`number` in the segment: 0 the header, else the n-th fragment; for `added` the part before which the
    bytes stand, or one more than the last."""

    number: int
    fault: Fault


class Bytes(Protocol):
    """Bytes in memory or in a mapped file."""

    def __len__(self) -> int: ...

    def read(self, start: int, end: int) -> bytes: ...

    def find(self, wanted: bytes, start: int) -> int:
        """Offset of the next `wanted` at or after `start`; -1 when there is none."""


def judge(content: Bytes, hashes: Sequence[bytes], first: int, last: int) -> list[BadPart]:
    """Hold `content` (header, then fragments `first`..`last`) against the segment's `hashes` (32 bytes each,
    entry 0 the header). An empty list: every byte is as recorded."""
    numbers = [0, *range(first, last + 1)]
    return _Judge(content, numbers, {hashes[number]: place for place, number in enumerate(numbers)}).judge()


class _Judge:
    def __init__(self, content: Bytes, numbers: list[int], places: dict[bytes, int]) -> None:
        self._content = content
        self._numbers = numbers
        self._places = places
        self._bad: list[BadPart] = []
        self._may_hash = HASHED_AT_MOST * len(content)

    def judge(self) -> list[BadPart]:
        position = place = 0
        while True:
            found = self._next_known(position)
            if found is None:
                break
            at, end, known = found
            if known < place:
                self._add_before(place, at > position)
                self._bad.append(BadPart(self._numbers[known], "moved"))
            else:
                self._lost(place, known, has_bytes=at > position)
                place = known + 1
            position = end
        self._lost(place, len(self._numbers), has_bytes=position < len(self._content))
        return self._bad

    def _lost(self, place: int, until: int, *, has_bytes: bool) -> None:
        """Parts [place, until) are not there; `has_bytes`: something else stands in their place."""
        self._add_before(place, has_bytes and place == until)
        for lost in range(place, until):
            # How many parts the foreign bytes once were nobody can say; the first of them was altered.
            fault: Fault = "altered" if has_bytes and (lost == place or until - place <= 2) else "missing"
            self._bad.append(BadPart(self._numbers[lost], fault))

    def _add_before(self, place: int, is_added: bool) -> None:
        if is_added:
            ended = place == len(self._numbers)
            self._bad.append(BadPart(self._numbers[-1] + 1 if ended else self._numbers[place], "added"))

    def _next_known(self, position: int) -> tuple[int, int, int] | None:
        """(start, end, place) of the next part of the list at or after `position`."""
        kinds = (b"ftyp", b"moov", b"uuid") if position == 0 else (b"moof", b"mdat", b"uuid")
        found = self._known_at(position, kinds)
        at = position
        while found is None:
            at = self._content.find(b"moof", at + 4)
            if at < 0:
                return None
            if at - 4 >= position:
                found = self._known_at(at - 4, (b"moof", b"mdat", b"uuid"))
        return found

    def _known_at(self, start: int, kinds: tuple[bytes, ...]) -> tuple[int, int, int] | None:
        size, end = len(self._content), start

        def read_at(offset: int, length: int) -> bytes:
            return self._content.read(offset, min(size, offset + length))

        try:
            walk = bmff.boxes(read_at, start, size)
            for kind in kinds:
                box = next(walk, None)
                if box is None or box.type != kind:
                    return None
                end = box.end
        except bmff.BoxError:
            return None  # the answer to the question asked: no part of the list begins here
        self._may_hash -= end - start
        if self._may_hash < 0:
            return None
        place = self._places.get(hashlib.sha256(self._content.read(start, end)).digest())
        return None if place is None else (start, end, place)
