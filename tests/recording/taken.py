"""A clip that was recorded, signed and exported, as it lies there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.clock import Clock
from agent.evidence.clip_files import zip_size
from agent.evidence.clip_verifier import ClipVerdict
from agent.evidence.device_card import DeviceCard, SigningJwk, build_device_card
from agent.evidence.keys import load_or_create
from agent.evidence.ledger import Ledger
from agent.evidence.record import NodeIdentity
from agent.paths import Paths
from agent.recording import clip_export
from agent.recording.clip import Clip, gather, make_clip
from agent.store.database import Store
from tests.recording.rig import ORIGIN, Rig

NODE = NodeIdentity(ORIGIN.institution, ORIGIN.room, ORIGIN.node)


def sign(store: Store, paths: Paths, clock: Clock) -> DeviceCard:
    """Everything stated so far becomes records; returns the card to believe them by."""
    key = load_or_create(paths.ledger_keys)
    ledger = Ledger(store, key, NODE, clock, demonstration=True)
    ledger.open()
    while ledger.sign_pending():
        pass
    jwk = {**key.public_jwk, "alg": "Ed25519", "use": "sig"}
    return build_device_card(NODE, signing_keys=(SigningJwk.model_validate(jwk),))


@dataclass(frozen=True)
class Taken:
    """A clip as it lies there, and where it came from."""

    folder: Path
    zipped: Path
    card: DeviceCard
    clip: Clip
    rig: Rig

    @property
    def video(self) -> Path:
        """The first segment's share."""
        return self.folder / self.clip.cuts[0].segment.names[0]


def make(rig: Rig, card: DeviceCard, start_us: int, end_us: int) -> Clip:
    material = gather(rig.store, rig.paths.video, "rear", (), start_us, end_us)
    return make_clip(rig.paths.video, material, card, start_us, end_us)


def take(rig: Rig, folder: Path, start_s: float, end_s: float) -> Taken:
    """Record 7 s in segments of 2 s, sign them, export [start_s, end_s)."""
    rig.begin(7)
    rig.stop()
    card = sign(rig.store, rig.paths, rig.clock)
    begin = rig.segments()[0]["start_us"]
    clip = make(rig, card, begin + round(start_s * 1e6), begin + round(end_s * 1e6))
    fact = clip_export.state_export(
        rig.store, rig.clock.now(), clip, account="hr", reason="on_site", note="", simulated=True
    )
    sign(rig.store, rig.paths, rig.clock)
    record = clip_export.await_record(rig.store, fact, wait=lambda _: None)
    assert record is not None
    members = clip_export.all_members(clip, record)
    clip_export.write_folder(folder / "clip", members)
    clip_export.write_zip(folder / "clip.zip", members)
    assert (folder / "clip.zip").stat().st_size == zip_size(members)
    return Taken(folder / "clip", folder / "clip.zip", card, clip, rig)


def names(verdict: ClipVerdict) -> list[tuple[str, int | None]]:
    return [(finding.file, finding.part) for finding in verdict.findings]
