"""A class by upload: HR staff see what it would change, say so with their password, and may take it back.

A file is read by a process of its own (agent/classes/reading_worker.py), within bounds. What was read waits
in memory for the visitor who sent it and goes with the answer or after ten minutes. Only what was shown is
imported, and only of the very file that was shown; the same code as at the console does it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from agent.classes.document import ClassDocument
from agent.classes.preview import Preview, import_as_seen, preview
from agent.classes.problems import ClassFileError
from agent.classes.undo import UndoRefusedError, refusal, undo_import
from agent.log import get_logger
from agent.policy import PolicyError
from agent.store import class_imports, classes
from agent.store.class_imports import LastImport
from agent.store.database import Store
from agent.store.vault import Vault, VaultError
from agent.web.clock import password_refusal
from agent.web.locale import N_, Language, local
from agent.web.login import client_address, in_language
from agent.web.site import Site, site_of, visit_of

KEPT_S: Final = 600.0
MOST_VISITORS: Final = 4
"""Whose files wait, of at most 10 MB each; who sent them first sends them again."""
READING_S: Final = 60.0
MOST_PROBLEMS: Final = 500
IMPORT_PAGE: Final = "/people/import"

SAID: Final = {
    "imported": ("good", N_("已导入，并写入签名记录。")),
    "undone": ("good", N_("导入已撤销，并写入签名记录。")),
    "password": ("bad", N_("密码不对，没有记录。")),
    "wait": ("bad", N_("密码不对或尝试太多，请稍后再试。没有记录。")),
    "files": ("bad", N_("没有收到班次文件，请重新选择。没有导入。")),
    "other": ("bad", N_("数据在此期间有变动，请重新预览。没有导入。")),
    "keys": ("bad", N_("密钥不可用，没有改动。原因已写入日志。")),
    "unread": ("bad", N_("文件读不了：处理它的程序停止了，没有导入。请检查文件或用空白表重新填写。")),
}
KINDS: Final = {
    "theory": N_("理论"),
    "practical": N_("实操"),
    "examination": N_("考试"),
    "make_up": N_("补课"),
}
CHANGES: Final = {
    "added": ("good", N_("新增")),
    "changed": ("warn", N_("变更")),
    "left": ("bad", N_("退出")),
    "cancelled": ("bad", N_("取消")),
    "attached": ("warn", N_("补录")),
}

router = APIRouter()
log = get_logger(__name__)


@dataclass
class Waiting:
    """What one visitor sent, and what was shown of it."""

    since_s: float = field(default_factory=time.monotonic)
    files: dict[str, bytes] = field(default_factory=dict)
    document: ClassDocument | None = None
    sha256: str = ""
    seen: Preview | None = None
    over_edits: bool = False


_waiting: dict[bytes, Waiting] = {}
_one_reader = asyncio.Semaphore(1)


def _drawer(digest: bytes) -> Waiting:
    now = time.monotonic()
    for key in [key for key, held in _waiting.items() if now - held.since_s > KEPT_S]:
        del _waiting[key]
    held = _waiting.setdefault(digest, Waiting())
    while len(_waiting) > MOST_VISITORS:
        del _waiting[min((key for key in _waiting if key != digest), key=lambda key: _waiting[key].since_s)]
    return held


@dataclass(frozen=True, slots=True)
class _Past:
    """An import that was made, with what stands in the way of taking it back."""

    last: LastImport
    title: str
    refusal: UndoRefusedError | None


def _past(store: Store) -> list[_Past]:
    found = []
    for last in class_imports.last_imports(store)[:20]:
        known = classes.training_class(store, last.class_id)
        found.append(_Past(last, known.title if known else last.class_id, refusal(store, last)))
    return found


async def _page(request: Request, status: int = 200, **values: Any) -> Response:
    site, language = site_of(request), visit_of(request).language
    said = values.pop("said", None) or SAID.get(request.query_params.get("said", ""))
    shown: dict[str, Any] = {"problems": [], "conflicts": [], "seen": None, "sha256": ""}
    return site.render(
        request,
        "class_upload.html",
        status,
        past=await site.store.run(_past),
        said=said,
        kinds=KINDS,
        changes=CHANGES,
        chinese=language == "zh",
        local=local,
        **{**shown, **values},
    )


@router.get(IMPORT_PAGE)
async def import_page(request: Request) -> Response:
    return await _page(request)


@router.post("/people/import/file/{kind}")
async def upload(request: Request, kind: str) -> Response:
    """One file as the body, token in a header; it waits for the form (I10: the gate checked both)."""
    if kind not in ("class", "roster"):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    held = _drawer(visit_of(request).token_sha256)
    if kind == "class":
        held.files.clear()
    held.files[kind] = await request.body()
    held.document, held.seen = None, None
    return JSONResponse({"bytes": len(held.files[kind])})


@router.post("/people/import/preview")
async def show_preview(request: Request) -> Response:
    """What the files that wait would change. Nothing is written."""
    site, visit = site_of(request), visit_of(request)
    held = _drawer(visit.token_sha256)
    files, held.files = held.files, {}
    over_edits = (visit.form or {}).get("over_edits") == "1"
    if "class" not in files:
        return await _page(request, HTTPStatus.BAD_REQUEST, said=SAID["files"])
    read = await _read(files)
    if read is None:
        return await _page(request, HTTPStatus.BAD_REQUEST, said=SAID["unread"])
    if "problems" in read:
        shown, count = read["problems"][:MOST_PROBLEMS], len(read["problems"])
        return await _page(request, HTTPStatus.BAD_REQUEST, problems=shown, problems_count=count)
    document, simulated = ClassDocument.model_validate(read["document"]), site.settings.simulated
    vault, stamp, room = Vault(site.paths.keys), site.clock.now(), site.settings.node.room

    def work(store: Store) -> Preview:
        with store.transaction():
            return preview(
                store, vault, stamp, document, room=room, simulated=simulated, over_edits=over_edits
            )

    try:
        held.seen = await site.store.run(work)
    except (ClassFileError, PolicyError) as error:
        conflicts = _conflicts(error.problems, visit.language)
        return await _page(request, HTTPStatus.BAD_REQUEST, conflicts=conflicts)
    except VaultError as error:
        log.warning("class-upload.keys", error=str(error))
        return await _page(request, HTTPStatus.SERVICE_UNAVAILABLE, said=SAID["keys"])
    held.document, held.sha256, held.over_edits = document, read["sha256"], over_edits
    counts = Counter(change.change for change in held.seen.people)
    return await _page(request, seen=held.seen, sha256=held.sha256, counts=counts)


def _conflicts(problems: list[str], language: Language) -> list[str]:
    return [in_language(line, language) for line in problems]


async def _read(files: dict[str, bytes]) -> dict[str, Any] | None:
    """The reader's answer; None when it died of the files, or hung."""
    job = {
        "workbook": base64.b64encode(files["class"]).decode(),
        "roster": base64.b64encode(files["roster"]).decode() if "roster" in files else None,
    }
    async with _one_reader:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "agent.classes.reading_worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # a trace of it would quote the file
        )
        try:
            output, _unused = await asyncio.wait_for(process.communicate(json.dumps(job).encode()), READING_S)
            answer: dict[str, Any] = json.loads(output)
        except (TimeoutError, ValueError) as error:
            log.warning("class-upload.no-answer", error=type(error).__name__, rc=process.returncode)
            return None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return answer


@router.post("/people/import/confirm")
async def confirm(request: Request) -> Response:
    """HR staff import what they were shown, and nothing else."""
    site, visit = site_of(request), visit_of(request)
    form, address = visit.form or {}, client_address(request)
    held = _drawer(visit.token_sha256)
    document, seen = held.document, held.seen
    is_shown = seen is not None and (form.get("file"), form.get("seen")) == (held.sha256, seen.sha256)
    if document is None or seen is None or not is_shown:
        return await _page(request, HTTPStatus.BAD_REQUEST, said=SAID["files"])

    def work(store: Store) -> str:
        refused = password_refusal(store, site.clock, form.get("password", ""), address)
        return refused or _import(store, site, document, seen.sha256, held.sha256, over_edits=held.over_edits)

    try:
        word = await site.logins.run(work)
    except (ClassFileError, PolicyError) as error:
        conflicts = _conflicts(error.problems, visit.language)
        return await _page(request, HTTPStatus.BAD_REQUEST, conflicts=conflicts)
    if word in ("password", "wait"):
        counts = Counter(change.change for change in seen.people)
        shown = {"seen": seen, "sha256": held.sha256, "counts": counts}
        return await _page(request, HTTPStatus.FORBIDDEN, said=SAID[word], **shown)
    _waiting.pop(visit.token_sha256, None)
    return RedirectResponse(f"{IMPORT_PAGE}?said={word}", HTTPStatus.SEE_OTHER)


def _import(
    store: Store, site: Site, document: ClassDocument, seen: str, sha256: str, *, over_edits: bool
) -> str:
    stamp, vault, simulated = site.clock.now(), Vault(site.paths.keys), site.settings.simulated
    try:
        with store.transaction():
            room = site.settings.node.room
            report = import_as_seen(
                store,
                vault,
                stamp,
                document,
                seen,
                room=room,
                source_sha256=sha256,
                simulated=simulated,
                over_edits=over_edits,
            )
    except VaultError as error:
        log.warning("class-upload.keys", error=str(error))
        return "keys"
    return "other" if report is None else "imported"


@router.post("/people/import/undo")
async def undo(request: Request) -> Response:
    """HR staff take the last import of a class back."""
    site, visit = site_of(request), visit_of(request)
    form, address = visit.form or {}, client_address(request)

    def work(store: Store) -> str:
        refused = password_refusal(store, site.clock, form.get("password", ""), address)
        if refused is not None:
            return refused
        stamp, vault, simulated = site.clock.now(), Vault(site.paths.keys), site.settings.simulated
        try:
            undo_import(store, vault, stamp, form.get("class", ""), simulated=simulated)
        except VaultError as error:
            log.warning("class-upload.keys", error=str(error))
            return "keys"
        return "undone"

    try:
        word = await site.logins.run(work)
    except UndoRefusedError as error:
        conflicts = [error.en if visit.language == "en" else error.zh]
        return await _page(request, HTTPStatus.CONFLICT, conflicts=conflicts)
    return RedirectResponse(f"{IMPORT_PAGE}?said={word}", HTTPStatus.SEE_OTHER)
