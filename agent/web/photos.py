"""A sealed photo shown to a visitor: that it was opened is a record, once a visitor (I6)."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import HTTPException
from starlette.responses import Response

from agent.checkin.photos import PhotoAlbum
from agent.clock import Stamp
from agent.store import check_ins
from agent.store.database import Store
from agent.store.facts import Fact, state_fact
from agent.store.vault import Vault, VaultError
from agent.web.site import Site


def opened_photo(
    store: Store, site: Site, stamp: Stamp, visitor: bytes, photo_id: str, viewed: Fact
) -> bytes | None:
    """The JPEG, with `viewed` stated where the visitor (digest of the visit's token) had not opened it yet;
    None where the photo is no more."""
    try:
        jpeg = PhotoAlbum(site.paths.photos, Vault(site.paths.keys)).opened(store, photo_id)
    except VaultError:
        return None
    with store.transaction():
        if check_ins.note_photo_view(store, visitor, photo_id, stamp.wall_us):
            state_fact(store, stamp, viewed)
    return jpeg


def photo_answer(jpeg: bytes | None) -> Response:
    if jpeg is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return Response(jpeg, media_type="image/jpeg")
