"""The statement of one class hour's verdict: its row, its signed record, its sealed pictures."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from uuid import uuid4

from agent.archive.hour_judging import JudgedHour
from agent.archive.verdict_frames import Picture
from agent.archive.visibility_material import Counted, Material
from agent.checkin.photos import PhotoAlbum, SealedPhoto
from agent.clock import Stamp
from agent.store import trust, visibility
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.trust import DrawnPicture
from agent.store.visibility import DEVICE, Verdict, VerdictFrame
from agent.visibility.error_model import DEFAULT
from agent.visibility.strikes import state_count
from agent.visibility.verdict import Judgement


def state_verdict(
    store: Store,
    stamp: Stamp,
    album: PhotoAlbum,
    material: Material,
    judged: JudgedHour,
    supersedes: str | None,
    because: tuple[str, ...],
) -> Verdict:
    """In the caller's transaction; the pictures' files go where it fails."""
    session, data = material.session, as_data(material, judged)
    before = visibility.strikes(store, session.class_id)
    made = _verdict(material, judged, stamp, supersedes, because, data)
    with ExitStack() as sealed:
        visibility.insert_verdict(store, made)

        def kept(picture: Picture) -> SealedPhoto:
            """Sealed under a key that is this verdict's alone."""
            at_us = picture.counted.look.at_us
            return sealed.enter_context(album.kept(store, made.id, picture.jpeg, at_us))

        frames = [_keep(store, made.id, picture, kept(picture)) for picture in judged.pictures]
        reckoned = judged.proposal or judged.judgement
        bounds = {at_us: (lower, upper) for at_us, lower, upper in reckoned.bounds}
        drawn = [
            _keep_drawn(store, made.id, picture, kept(picture), *bounds[picture.counted.look.at_us])
            for picture in judged.drawn
        ]
        drawn += [
            _keep_unseen(store, made, counted, *bounds[counted.look.at_us]) for counted in judged.unseen
        ]
        stated = {"verdict_id": made.id, "supersedes": supersedes, "because": list(because), **data}
        fact = Fact(
            FactType.VISIBILITY_JUDGED,
            f"session/{session.id}",
            made.simulated,
            {**stated, "frames": frames, "drawn": drawn},
            class_id=session.class_id,
            session_id=session.id,
        )
        state_fact(store, stamp, fact)
        state_count(store, stamp, session.class_id, before, simulated=made.simulated)
    return made


def as_data(material: Material, judged: JudgedHour) -> dict[str, Any]:
    """What the record says, without ids and pictures."""
    found, stretch = judged.judgement, judged.judgement.stretch
    model = material.model or DEFAULT
    borne_by = material.bearing.trust_over(judged.hour, judged.judgement.expected)
    return {
        "kind": material.session.kind,
        "hour": judged.hour.number,
        "start_us": judged.hour.start_us,
        "end_us": judged.hour.end_us,
        "verdict": found.verdict,
        "reason": found.reason,
        "lower": found.lower,
        "upper": found.upper,
        "expected": found.expected,
        "from_us": None if stretch is None else stretch[0],
        "until_us": None if stretch is None else stretch[1],
        "measure": found.measure,
        "confidence": model.confidence,
        "needed_us": material.needed_us,
        "longest_shown_us": found.longest_shown_us,
        "longest_not_shown_us": found.longest_not_shown_us,
        "more_than_expected_us": found.more_than_expected_us,
        "looks": found.looks,
        "looks_left_out": found.looks_left_out,
        "looks_caught_up": sum(
            each.count.caught_up_us is not None and judged.hour.start_us <= at_us < judged.hour.end_us
            for at_us, each in material.counted.items()
        ),
        "detector": material.bearing.detector,
        "calibration": material.bearing.calibration_over(judged.hour),
        "camera": material.bearing.camera,
        "trust": None if borne_by is None else borne_by.id,
        "proposal": None if judged.proposal is None else _proposal(judged.proposal),
    }


def _proposal(found: Judgement) -> dict[str, Any]:
    """What the device would have said: stated before anybody counted, shown to nobody until then."""
    stretch = found.stretch
    return {
        "verdict": found.verdict,
        "reason": found.reason,
        "lower": found.lower,
        "upper": found.upper,
        "from_us": None if stretch is None else stretch[0],
        "until_us": None if stretch is None else stretch[1],
        "longest_shown_us": found.longest_shown_us,
        "longest_not_shown_us": found.longest_not_shown_us,
    }


def _keep(store: Store, verdict_id: str, picture: Picture, photo: SealedPhoto) -> dict[str, Any]:
    count = picture.counted.count
    visibility.insert_frame(
        store,
        VerdictFrame(verdict_id, count.run_id, count.sequence, count.pts_ticks, photo.id, is_kept=True),
    )
    return {**_place(picture, photo), "counted": count.counted}


def _keep_drawn(
    store: Store, verdict_id: str, picture: Picture, photo: SealedPhoto, lower: int, upper: int
) -> dict[str, Any]:
    count, at_us = picture.counted.count, picture.counted.look.at_us
    drawn = DrawnPicture(
        verdict_id, count.run_id, count.sequence, count.pts_ticks, photo.id, at_us, lower, upper
    )
    trust.insert_drawn(store, drawn)
    return {**_place(picture, photo), "lower": lower, "upper": upper}


def _keep_unseen(store: Store, verdict: Verdict, counted: Counted, lower: int, upper: int) -> dict[str, Any]:
    """A drawn picture that cannot be had: its photo is one whose time is over from the beginning."""
    photo_id, count, at_us = str(uuid4()), counted.count, counted.look.at_us
    trust.insert_unseen_photo(store, photo_id, verdict.id, at_us, verdict.stated_us)
    trust.insert_drawn(
        store,
        DrawnPicture(
            verdict.id, count.run_id, count.sequence, count.pts_ticks, photo_id, at_us, lower, upper
        ),
    )
    return {
        "photo": photo_id,
        "sha256": None,
        "run": count.run_id,
        "sequence": count.sequence,
        "pts_ticks": count.pts_ticks,
        "key_frame_sha256": None,
        "at_us": at_us,
        "lower": lower,
        "upper": upper,
    }


def _place(picture: Picture, photo: SealedPhoto) -> dict[str, Any]:
    count = picture.counted.count
    return {
        "photo": photo.id,
        "sha256": photo.sha256.hex(),
        "run": count.run_id,
        "sequence": count.sequence,
        "pts_ticks": count.pts_ticks,
        "key_frame_sha256": picture.key_frame_sha256,
        "at_us": picture.counted.look.at_us,
    }


def _verdict(
    material: Material,
    judged: JudgedHour,
    stamp: Stamp,
    supersedes: str | None,
    because: tuple[str, ...],
    data: dict[str, Any],
) -> Verdict:
    found = judged.judgement
    return Verdict(
        id=str(uuid4()),
        session_id=material.session.id,
        hour=judged.hour.number,
        verdict=found.verdict,
        lower=found.lower,
        upper=found.upper,
        expected=found.expected,
        decided_by=DEVICE,
        reason="",
        stated_us=stamp.wall_us,
        simulated=material.simulated,
        supersedes=supersedes,
        because=because,
        data=data,
        basis=material.basis_of(judged.hour.number),
    )
