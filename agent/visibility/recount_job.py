"""The process that counts pictures afterwards: what makes a decoder crash ends it, and nothing else (I12).

JSON lines. On standard input first the counter ({"counter", "models_folder"}), then one line a segment
({"path", "fragments" as hex, "start_ticks", "pictures": [[offset, ticks], …], "start_us",
"view": null or {"reference", "png" as base64}}). On standard output first
{"counter": {"name", "cut", "finds"}}, then a line {"counted": …} or {"refused": …} for each picture as it is
done, and after a segment {"done": CPU seconds} or {"trouble": {"kind", "zh", "en"}}. It ends with its input,
so it outlives nobody.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent.visibility.counting import counter_called
from agent.visibility.looking_back import LookingBack
from agent.visibility.recounting import Recounted, RoomView, Wanted, recounted
from models.heads import HeadCounter
from models.weights import ModelError

NICENESS = 19


def answer(counter: HeadCounter, looking: LookingBack, line: str) -> None:
    """Count what one line asks for. `looking` has seen what the lines before asked for."""
    asked: dict[str, Any] = json.loads(line)
    pictures = tuple((int(offset), int(ticks)) for offset, ticks in asked["pictures"])
    fragments, start_ticks = bytes.fromhex(asked["fragments"]), int(asked["start_ticks"])
    start_us = int(asked["start_us"])
    view = None if asked["view"] is None else _view(asked["view"])
    wanted = Wanted(Path(asked["path"]), fragments, start_ticks, pictures, start_us, view)
    began = time.process_time()
    try:
        for each in recounted(counter, wanted, looking):
            _say({"counted" if isinstance(each, Recounted) else "refused": asdict(each)})
    except ModelError as error:
        _say({"trouble": {"kind": "model", "zh": error.remedy_zh, "en": str(error)}})
    except OSError as error:
        _say({"trouble": {"kind": "disk", "zh": error.strerror or "", "en": error.strerror or ""}})
    else:
        _say({"done": round(time.process_time() - began, 3)})


def _view(asked: dict[str, Any]) -> RoomView:
    return RoomView(asked["reference"], base64.b64decode(asked["png"]))


def _say(content: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def _step_back() -> None:
    """Behind everything else at the processor. Where the unit's sandbox refuses that, its own low weight
    stays."""
    try:
        os.nice(NICENESS)
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except OSError as error:
        sys.stderr.write(f"recount_job: not behind everything else: {error.strerror}\n")


def main() -> None:
    _step_back()
    setup: dict[str, Any] = json.loads(sys.stdin.readline())
    try:
        counter = counter_called(setup["counter"], Path(setup["models_folder"]))
    except ModelError as error:
        _say({"trouble": {"kind": "model", "zh": error.remedy_zh, "en": str(error)}})
        return
    _say({"counter": {"name": counter.name, "cut": counter.cut, "finds": counter.finds}})
    looking = LookingBack()
    for line in sys.stdin:
        answer(counter, looking, line)


if __name__ == "__main__":
    main()
