"""The empty workbook of a class as a download for HR staff: the one that `class form` writes."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from agent.web.workbooks import XLSX, workbook_by

NAME = "class-form.xlsx"

router = APIRouter()


@router.get("/people/form.xlsx")
async def class_form() -> Response:
    content = await workbook_by("agent.classes.workbook_form")
    return Response(
        content, media_type=XLSX, headers={"content-disposition": f'attachment; filename="{NAME}"'}
    )
