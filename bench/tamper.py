"""Camera tamper: which attacks are seen within ten seconds, and what is taken for one that is none.

Each stream is a room made of real material (bench/tamper_scenes.py), encoded to H.264 and decoded as the
watch role does. A lesson is on; the attack begins 8 s into it, just after a key frame. Rooms are split:
thresholds of agent/visibility were chosen on those of `CHOSEN_ON`; of `SEEN_BEFORE` first results were known
when some were set; those of `UNTOUCHED` were run with nothing changed afterwards.

    python -m bench.tamper --media FOLDER [--part untouched|seen|chosen] [--only NAME] [--out FILE.json]

`--afterwards` judges the key frames alone that are counted afterwards, each five seconds, as
agent.visibility.looking_back does: where nobody looked in time. `--what periodic` plays minutes of what comes
round by nature (bench/tamper_periodic.py) instead."""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from agent.visibility.picture_watch import PictureChange, PictureWatch
from agent.visibility.view import KnownView, structure
from bench.tamper_attacks import attacks
from bench.tamper_case import FEW_FPS, Case, rooms
from bench.tamper_day import Alarm, run_day
from bench.tamper_encoder import KeyPicture, encoded, is_counted, seen_at
from bench.tamper_innocent import innocent
from bench.tamper_parts import part_covers, part_innocent
from bench.tamper_periodic import periodic
from bench.tamper_scenes import Camera, Room

WITHIN_S: Final = 10.0
LATE_S: Final = 1.5
"""From a key frame's time until the watch role has looked at it: durable within a second, looked for each
half second."""
PARTS: Final = {
    "chosen": ("train_room_a", "vtest"),
    "seen": ("train_room_b", "val_room", "room_video"),
    "untouched": ("train_room_c", "val_rear"),
}


@dataclass
class Result:
    """What was said of one stream."""

    room: str
    name: str
    strength: str
    expected: tuple[str, ...]
    said: list[tuple[float, str]] = field(default_factory=list)
    seen_after_s: float | None = None
    false_alarms: int = 0
    cpu_ms_a_look: float = 0.0


def reference(room: Room) -> KnownView:
    """What the acceptance check keeps: the mean of eight decoded key frames of the room with nobody in it."""
    camera = Camera(seed=99)
    pictures = (camera.picture(room.empty(), number / FEW_FPS, 1 / FEW_FPS) for number in range(16))
    kept = [key.luma.astype(np.float32) for key in encoded(pictures, fps=FEW_FPS)]
    return KnownView.of(structure(np.asarray(np.mean(kept, axis=0), np.uint8)))


def judge(case: Case, room: Room, known: KnownView | None, *, afterwards: bool = False) -> Result:
    """Run one stream through the watch's own checks; `afterwards`: of the key frames that are counted then,
    without what lies between."""
    result = Result(room.name, case.name, case.strength, case.expected)
    watch = PictureWatch(known)
    looks, spent = 0, 0.0
    for key in encoded(case.pictures(room), fps=case.fps, crf=case.crf, bitrate=case.bitrate):
        if afterwards and not is_counted(key):
            continue
        began = time.process_time()
        change = watch.look(seen_at(key, afterwards=afterwards), is_lesson=True, repeats=afterwards)
        spent += time.process_time() - began
        looks += 1
        if change is not None:
            _note(result, change, key, case.begins_s)
    result.cpu_ms_a_look = round(spent / max(1, looks) * 1000, 1)
    return result


def _note(result: Result, change: PictureChange, key: KeyPicture, begins_s: float) -> None:
    result.said.append((round(key.seconds, 1), change.kind or "normal"))
    after_s = key.seconds + LATE_S - begins_s
    if change.kind is None:
        return
    if not result.expected or after_s < 0:
        result.false_alarms += 1
    elif result.seen_after_s is None:
        result.seen_after_s = round(after_s, 1)


def table(results: Sequence[Result], alarms: Sequence[Alarm], days: int) -> str:
    """The whole of it as Markdown: of how many rooms each attack was seen within ten seconds, and when."""
    rows: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for each in results:
        rows[each.name, each.strength].append(each)
    lines = ["| attack | | seen within 10 s | later | not seen |", "|---|---|---|---|---|"]
    for (name, strength), found in rows.items():
        if not found[0].expected:
            continue
        times = sorted(each.seen_after_s for each in found if each.seen_after_s is not None)
        early, late = [at for at in times if at <= WITHIN_S], [at for at in times if at > WITHIN_S]
        cells = (
            f"{len(early)} of {len(found)}" + (f", {early[0]:g} to {early[-1]:g} s" if early else ""),
            ", ".join(f"{at:g} s" for at in late) or "–",
            str(len(found) - len(times)) if len(found) > len(times) else "–",
        )
        lines.append(f"| {name} | {strength} | {' | '.join(cells)} |")
    wrong = [each for each in results if each.false_alarms]
    missed = [each for each in results if each.expected and (each.seen_after_s or 99) > WITHIN_S]
    attacked = [each for each in results if each.expected]
    lines += [
        "",
        f"{len(attacked)} attacks, {len(missed)} not seen within {WITHIN_S:g} s; "
        f"{len(results) - len(attacked)} innocent scenes, "
        f"{len([each for each in wrong if not each.expected])} with a false alarm, "
        f"{len([each for each in wrong if each.expected])} attacks with one before they began; "
        f"{len(alarms)} false alarms in {days} simulated days",
    ]
    lines += [f"- {each.room}: {each.strength}: {each.said}" for each in wrong]
    lines += [f"- {each.room}, {each.part}, after {each.after_s:g} s: {each.kind}" for each in alarms]
    spent = [each.cpu_ms_a_look for each in results]
    if spent:
        lines.append(f"CPU a look: median {np.median(spent):.1f} ms, 95 % {np.percentile(spent, 95):.1f} ms")
    return "\n".join(lines)


def main() -> None:
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--media", type=Path, required=True, help="folder with heads/ and room_video/")
    parser.add_argument("--part", choices=tuple(PARTS), default="untouched")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--rooms", default="", help="names, with commas between, instead of a part's")
    parser.add_argument("--without-reference", action="store_true")
    parser.add_argument("--afterwards", action="store_true", help="as in counting afterwards")
    parser.add_argument("--what", choices=("all", "cases", "day", "periodic"), default="all")
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args()
    names = tuple(asked.rooms.split(",")) if asked.rooms else PARTS[asked.part]
    results: list[Result] = []
    alarms: list[Alarm] = []
    days = 0
    for name in names:
        room = rooms(asked.media)[name]()
        known = None if asked.without_reference else reference(room)
        if asked.what != "day":
            usual = [*attacks(), *part_covers(), *innocent(), *part_innocent()]
            for case in periodic() if asked.what == "periodic" else usual:
                if asked.only in f"{case.name} {case.strength}":
                    results.append(judge(case, room, known, afterwards=asked.afterwards))
                    print(_line(results[-1]), flush=True)
        if asked.what in ("all", "day") and not asked.only:
            looks, found = run_day(room, known, afterwards=asked.afterwards)
            days += 1
            alarms += found
            print(f"{name}: a day of {looks} looks, {len(found)} false alarms {found}", flush=True)
    if asked.out is not None:
        said = {"cases": [asdict(each) for each in results], "day": [asdict(each) for each in alarms]}
        asked.out.write_text(json.dumps(said, indent=1), encoding="utf-8")
    print(table(results, alarms, days))


def _line(result: Result) -> str:
    seen = (
        "-"
        if not result.expected
        else "MISSED"
        if result.seen_after_s is None
        else f"{result.seen_after_s:.1f} s"
    )
    alarm = f" FALSE {result.false_alarms}" if result.false_alarms else ""
    said = " ".join(f"{at_s:g}:{kind}" for at_s, kind in result.said)
    what = f"{result.room:13} {result.name:14} {result.strength:42}"
    return f"{what} {seen:>7}{alarm} [{said}] {result.cpu_ms_a_look} ms"


if __name__ == "__main__":
    main()
