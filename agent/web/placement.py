"""Where segments lie on a player's time line: by ticks inside a run, by wall time between runs."""

from __future__ import annotations

from typing import Any

from agent.store.access import View
from agent.store.overview import Footage
from agent.web.media import Growing


def playable(footage: list[Footage], growing: Growing | None, view: View) -> list[dict[str, Any]]:
    """Segments in the order of playing, each with its place on the view's time line.

    Inside a run places follow the ticks (wall stamps jitter by milliseconds, ticks tile exactly); where the
    wall clock was set back, what came later is placed after what came before, never over it.
    """
    entries = [
        (f.run_id, f.sequence, f.start_us, f.start_ticks, f.end_ticks, f.ticks_per_second, False)
        for f in footage
        if not f.expired_us
    ]
    if growing is not None and growing.start_us < view.end_us and growing.end_us > view.start_us:
        known = {(entry[0], entry[1]) for entry in entries}
        if (growing.run_id, growing.sequence) not in known:
            per_second = growing.ticks_per_second
            end_ticks = growing.start_ticks + (growing.end_us - growing.start_us) * per_second // 1_000_000
            entries.append(
                (
                    growing.run_id,
                    growing.sequence,
                    growing.start_us,
                    growing.start_ticks,
                    end_ticks,
                    per_second,
                    True,
                )
            )
    placed: list[dict[str, Any]] = []
    anchors: dict[str, float] = {}
    end = float("-inf")
    for run, sequence, start_us, start_ticks, end_ticks, per_second, is_growing in entries:
        zero = anchors.get(run, (start_us - view.start_us) / 1e6 - start_ticks / per_second)
        zero += max(0.0, end - (zero + start_ticks / per_second))
        anchors[run] = zero
        begin, end = zero + start_ticks / per_second, zero + end_ticks / per_second
        placed.append(
            {
                "address": f"/media/{run}/{sequence}",
                "from": begin,
                "to": end,
                "zero": zero,
                "clock_us": start_us,
                "growing": is_growing,
            }
        )
    return placed
