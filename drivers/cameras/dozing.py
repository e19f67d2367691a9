"""Whether a picture in which nothing happens need be decoded at all.

A camera's encoder spends bits on what changes. While a watcher is at rest, the packets of each group (a key
frame and what follows until the next) weigh what those at the same place in the groups before weighed;
somebody who steps into the picture makes them heavier with the first picture that shows them. So at rest only
the key frames are decoded, and everything as soon as a packet weighs more than is usual.

An encoder at a constant bit rate may hide what happens: then it is a key frame that wakes the watcher, up to
`LONGEST_GROUP_NS` late. That happens once: afterwards everything is decoded for `DISTRUST_NS`, unless the
camera is connected to anew.
"""

from __future__ import annotations

from collections import deque
from typing import Final

KNOWN_GROUPS: Final = 3
"""So many groups at rest must be known before one is dozed through."""
USUAL_SHARE: Final = 1.25
USUAL_BYTES: Final = 150
"""A packet is usual up to this share of the heaviest known at its place, and so many bytes more."""
LONGEST_GROUP_NS: Final = 1_200_000_000
"""Of a stream with rarer key frames everything is decoded: they alone would tell of somebody too late, and
whoever watches has something to do each second."""
DISTRUST_NS: Final = 3_600_000_000_000


class Dozing:
    """What one stream's packets weigh at rest. Call for each packet, in order; for one thread."""

    def __init__(self, most_packets: int) -> None:
        """`most_packets` of a group are remembered; at what is beyond nobody dozes."""
        self._most_packets = most_packets
        self._known: deque[list[int]] = deque(maxlen=KNOWN_GROUPS)
        self._group: list[int] = []
        self._began_ns: int | None = None
        self._is_quiet = False
        self._distrusted_until_ns = 0

    def begin_group(self, size: int, arrived_ns: int, *, is_at_rest: bool) -> bool:
        """Take a key frame of `size` bytes; whether the packets after it may be left undecoded while they
        are usual."""
        began, self._began_ns = self._began_ns, arrived_ns
        was_quiet = self._is_quiet and began is not None and arrived_ns - began <= LONGEST_GROUP_NS
        if was_quiet:
            self._known.append(self._group)
        elif self._group:
            self._known.clear()  # another scene may have come of it
        self._group, self._is_quiet = [size], is_at_rest
        is_known = was_quiet and len(self._known) == KNOWN_GROUPS
        return is_at_rest and is_known and arrived_ns >= self._distrusted_until_ns

    def is_usual(self, size: int, arrived_ns: int, *, is_at_rest: bool) -> bool:
        """Take any other packet: whether it weighs what those at its place did. Not, where there was none, or
        where the next key frame is overdue."""
        place = len(self._group)
        is_late = self._began_ns is None or arrived_ns - self._began_ns > LONGEST_GROUP_NS
        self._is_quiet = self._is_quiet and is_at_rest and not is_late and place < self._most_packets
        if not self._is_quiet:
            return False
        self._group.append(size)
        known = [group[place] for group in self._known if place < len(group)]
        return bool(known) and size <= max(known) * USUAL_SHARE + USUAL_BYTES

    def distrust(self, now_ns: int) -> None:
        """The watcher woke although every packet was usual."""
        self._distrusted_until_ns = now_ns + DISTRUST_NS
