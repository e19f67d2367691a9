"""Number and PIN, typed on the screen at the door. The picture of whoever stands there is taken with it, so
this is asked of the screen at the door alone: any other browser would be noted with a stranger's picture."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import JSONResponse, Response

from agent.checkin import other_way
from agent.checkin.answers import mask
from agent.checkin.other_way import TEXT, Entered
from agent.checkin.photos import PhotoAlbum
from agent.store.database import Store
from agent.store.vault import Vault
from agent.web.gate import KIOSK_PIN, is_this_machine
from agent.web.site import site_of, visit_of

router = APIRouter()


@router.post(KIOSK_PIN)
async def enter_pin(request: Request) -> Response:
    """`{code, zh, en, name}`: what became of it, and the masked name of whoever was noted."""
    site, form = site_of(request), visit_of(request).form or {}
    if not (site.settings.web.kiosk and is_this_machine(request)):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    vault = Vault(site.paths.keys)
    album = PhotoAlbum(site.paths.photos, vault)

    def work(store: Store) -> tuple[Entered, str]:
        entered = other_way.enter(
            store,
            vault,
            album,
            site.paths.frames,
            site.clock.now(),
            room=site.settings.node.room,
            number=form.get("number", "")[:8],
            pin=form.get("pin", "")[:12],
            simulated=site.settings.simulated,
        )
        row = store.row("SELECT name FROM person WHERE id = ?", (entered.person_id,))
        return entered, mask(row["name"]) if row is not None and entered.is_noted else ""

    entered, name = await site.logins.run(work)
    zh, en = TEXT[entered.code]
    return JSONResponse({"code": entered.code, "zh": zh, "en": en, "name": name})
