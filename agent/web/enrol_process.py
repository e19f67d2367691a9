"""An enrolment as the page starts it: a process of its own, which holds the models (enrol_job.py)."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from agent.log import get_logger
from agent.store.database import Store
from agent.web.gate import HR_ACCOUNT
from agent.web.locale import N_
from agent.web.site import Site, Visit

JOB_S: Final = 120.0
"""Two minutes: one before the camera, and loading the models on a Pi."""
ENDED: Final = {"problems": [{"zh": "登记程序没有答复，没有登记", "en": "no answer; nobody was enrolled"}]}
CANCELLED: Final = {
    "problems": [{"zh": "已取消。是否已登记以名册为准", "en": "cancelled; the list says who is enrolled"}]
}

ID: Final = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")

log = get_logger(__name__)


@dataclass
class EnrolProcess:
    """One enrolment. Everything that it says is JSON in both languages."""

    job: dict[str, Any]
    _process: asyncio.subprocess.Process | None = field(default=None, repr=False)
    _is_cancelled: bool = False

    @classmethod
    def for_person(
        cls, site: Site, person_id: str, consent_version: str, photos: Sequence[bytes] = ()
    ) -> Self:
        """By `photos`, or at the door camera where there are none."""
        return cls(
            {
                "database": str(site.paths.database),
                "keys": str(site.paths.keys),
                "frames": str(site.paths.frames),
                "models_folder": str(site.settings.checkin.models_folder),
                "engine": site.settings.checkin.engine,
                "simulated": site.settings.simulated,
                "person_id": person_id,
                "consent_version": consent_version,
                "recorded_by": HR_ACCOUNT,
                "photos": [base64.b64encode(photo).decode() for photo in photos],
            }
        )

    async def run(self, told: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
        """The answer; `told` gets each line before it. A process that ends without one, or hangs, is a
        problem like others."""
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "agent.checkin.enrol_job"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(JOB_S):
                if self._is_cancelled:
                    return CANCELLED
                return await self._answer(process, told)
        except (TimeoutError, ValueError, OSError) as error:
            log.warning("enrolment.no-answer", error=type(error).__name__, rc=process.returncode)
            return ENDED
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _answer(
        self, process: asyncio.subprocess.Process, told: Callable[[dict[str, Any]], None] | None
    ) -> dict[str, Any]:
        if process.stdin is None or process.stdout is None:
            raise OSError("the process has no pipes")
        process.stdin.write(json.dumps(self.job).encode())
        await process.stdin.drain()
        process.stdin.close()
        async for line in process.stdout:
            said: dict[str, Any] = json.loads(line)
            if "guidance" not in said:
                return said
            if told is not None:
                told(said)
        if self._is_cancelled:
            return CANCELLED
        raise ValueError("it ended without an answer")

    def cancel(self) -> None:
        """End it; what it did not yet store is not stored."""
        self._is_cancelled = True
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()


async def outcome(site: Site, done: dict[str, Any], visit: Visit) -> dict[str, Any]:
    """Level and lines of an answer, for the page: with names in place of the ids that it carries."""
    if problems := done.get("problems"):
        lines = [problem[visit.language] for problem in problems]
        names = await site.store.run(lambda store: _names(store, lines))
        return {"level": "bad", "lines": [ID.sub(lambda found: names[found[0]], line) for line in lines]}
    _ = visit.words.gettext
    lines = [_(N_("已登记 %(count)d 个人脸特征。")) % {"count": done["templates"]}]
    if done["look_alikes"]:
        lines.append(_(N_("与别人长得很像，签到时可能要用其他方式。")))
    return {"level": "good", "lines": lines}


def _names(store: Store, lines: Sequence[str]) -> dict[str, str]:
    """Of each id in `lines`: the person's name, or the id where it is nobody's or the name is gone."""
    ids = {found for line in lines for found in ID.findall(line)}
    rows = {one: store.row("SELECT name FROM person WHERE id = ?", (one,)) for one in ids}
    return {one: one if row is None else row["name"] or one for one, row in rows.items()}
