"""Is there a second copy, and is its disk the one that it should be (R8)?"""

from __future__ import annotations

from collections.abc import Iterator

from agent.acceptance.findings import Finding
from agent.archive.target import check_target
from agent.archive.worker import ArchiveError
from agent.settings import Settings
from drivers.disk import DiskError


def check_copies(settings: Settings) -> Iterator[Finding]:
    """One finding a configured copy; a warning where there is none, because R8 asks for two copies."""
    if not settings.copies:
        yield Finding(
            "copies",
            "warning",
            "没有第二份副本：磁盘坏了录像就没有了（R8）",
            "there is no second copy: a dead disk takes its footage with it (R8)",
            ("在配置里加 [[copies]]", "add a [[copies]] block to the settings"),
        )
    for copy in settings.copies:
        check = f"copy.{copy.name.lower()}"  # of the names that the record allows
        try:
            check_target(copy, settings.storage.video)
        except (DiskError, ArchiveError, OSError) as error:
            yield Finding(
                check,
                "bad",
                f"副本 {copy.name} 不可用",
                f"copy {copy.name} cannot be used",
                (str(error), f"classroom-agent copies mark {copy.name}"),
            )
            continue
        yield Finding(check, "good", f"副本 {copy.name} 可用", f"copy {copy.name} can be used")
