"""The empty workbook of a class as a download for HR staff: the one that `class form` writes."""

from __future__ import annotations

import asyncio
import sys
from http import HTTPStatus

from fastapi import APIRouter, HTTPException
from starlette.responses import Response

from agent.log import get_logger

PATIENCE_S = 30.0
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NAME = "class-form.xlsx"

router = APIRouter()
log = get_logger(__name__)


@router.get("/people/form.xlsx")
async def class_form() -> Response:
    """Written by a process of its own: the page's would keep the spreadsheet library's memory for ever."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agent.classes.workbook_form", stdout=asyncio.subprocess.PIPE
    )
    try:
        content, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    except TimeoutError:
        log.warning("class-form.no-answer", patience_s=PATIENCE_S)
        content = b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode or not content:
        log.warning("class-form.not-written", rc=process.returncode)
        raise HTTPException(HTTPStatus.INTERNAL_SERVER_ERROR)
    return Response(
        content, media_type=XLSX, headers={"content-disposition": f'attachment; filename="{NAME}"'}
    )
