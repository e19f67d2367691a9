"""Pictures of verdicts after their class's years: stated, removed, their key destroyed."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from agent.archive.checkin_retention import expire_check_ins
from agent.archive.frame_retention import expire_verdict_frames
from agent.checkin.photos import PhotoAlbum
from agent.store import visibility
from agent.store.clock import vouch
from agent.store.vault import Vault, VaultError
from agent.store.visibility import DEVICE, Verdict, VerdictFrame
from tests.archive.retention.room import HOUR_US, Room

YEAR = 365.25


def keep_a_picture(room: Room, vault: Vault, session: str) -> tuple[str, str]:
    """A verdict of the lesson with one picture; ids of both."""
    made = Verdict(
        str(uuid4()), session, 1, "uncertain", 1, 3, 2, DEVICE, "", room.clock.wall_us, True, None, (), {}, {}
    )
    album = PhotoAlbum(room.rig.paths.photos, vault)
    with room.store.transaction():
        visibility.insert_verdict(room.store, made)
        with album.kept(room.store, made.id, b"\xff\xd8 a class", room.clock.wall_us) as photo:
            frame = VerdictFrame(made.id, str(uuid4()), 0, 0, photo.id, is_kept=True)
            visibility.insert_frame(room.store, frame)
    return made.id, photo.id


def expire(room: Room, vault: Vault) -> None:
    now = room.clock.now()
    word = vouch(room.store, now)
    assert word is not None
    while expire_verdict_frames(room.store, now, word, room.policies, simulated=True):
        pass
    while expire_check_ins(room.store, vault, now, word, room.policies, simulated=True):
        pass
    room.remove()


@pytest.mark.rule("R8")
@pytest.mark.promise("I7")
def test_they_go_with_the_footage_of_their_class_and_not_before(room: Room) -> None:
    vault = Vault(room.rig.paths.keys)
    room.add_class("welding")
    session = room.lesson("welding", room.clock.wall_us - HOUR_US)
    verdict, photo = keep_a_picture(room, vault, session)
    album = PhotoAlbum(room.rig.paths.photos, vault)
    room.pass_time(2.9 * YEAR)
    expire(room, vault)
    assert album.opened(room.store, photo) == b"\xff\xd8 a class"
    room.pass_time(0.2 * YEAR)
    expire(room, vault)
    with pytest.raises(VaultError):
        album.opened(room.store, photo)
    assert not album.path(photo).exists()
    (frame,) = visibility.frames_of(room.store, verdict)
    assert not frame.is_kept
    assert not vault.has_key(room.store, verdict, "evidence")
    (row,) = room.store.rows("SELECT data FROM fact WHERE type = 'visibility.frames-expired'")
    assert [each["photo"] for each in json.loads(row["data"])["frames"]] == [photo]
