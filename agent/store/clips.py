"""What the database holds of a segment as evidence: its fragments' hashes and its signed record."""

from __future__ import annotations

from dataclasses import dataclass

from agent.store.database import Store


@dataclass(frozen=True, slots=True)
class SegmentEvidence:
    """`fragments`: 32 bytes each, entry 0 the header. `record` is None until the ledger has signed."""

    sha256: bytes
    fragments: bytes
    record: bytes | None


def segment_evidence(store: Store, run_id: str, sequence: int) -> SegmentEvidence | None:
    """What proves one segment; the newest record, where a rebuilt index stated it twice."""
    row = store.row(
        "SELECT sha256, fragments FROM segment WHERE run_id = ? AND sequence = ?", (run_id, sequence)
    )
    if row is None:
        return None
    signed = store.row(
        "SELECT record.jws FROM fact JOIN record ON record.fact_id = fact.id"
        " WHERE fact.type = 'recording.segment-closed' AND fact.subject = ? ORDER BY fact.id DESC LIMIT 1",
        (f"segment/{run_id}/{sequence}",),
    )
    return SegmentEvidence(row["sha256"], row["fragments"], bytes(signed["jws"]) if signed else None)


def record_of_fact(store: Store, fact_id: int) -> bytes | None:
    """The signed record of a fact; None until the ledger has signed it."""
    row = store.row("SELECT jws FROM record WHERE fact_id = ?", (fact_id,))
    return None if row is None else bytes(row["jws"])
