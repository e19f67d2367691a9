"""Workbooks for downloads, written by a process of their own: the page's would keep the spreadsheet library's
memory for ever."""

from __future__ import annotations

import asyncio
import sys
from http import HTTPStatus
from typing import Final

from fastapi import HTTPException

from agent.log import get_logger

PATIENCE_S: Final = 60.0
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

log = get_logger(__name__)


async def workbook_by(module: str, asked: bytes = b"") -> bytes:
    """What `python -m module` answers to `asked` on its standard input; an error of the page when nothing."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    made = b""
    try:
        made, _ = await asyncio.wait_for(process.communicate(asked), PATIENCE_S)
    except TimeoutError:
        log.warning("workbook.no-answer", module=module, patience_s=PATIENCE_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode or not made:
        log.warning("workbook.not-written", module=module, rc=process.returncode)
        raise HTTPException(HTTPStatus.INTERNAL_SERVER_ERROR)
    return made
