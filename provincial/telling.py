"""What the receiver still has to say to its nodes, and what it has said (P23 to P28).

Nothing is remembered in memory: a mark on each row says whether its receipt reached the broker, so that a
restart says the rest.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, replace

from agent.evidence.receipt import (
    MAX_RANGES,
    MAX_VERDICTS,
    WITHDRAWN,
    Cosignature,
    ReceiptVerdict,
    Received,
)
from provincial.archive import Archive


@dataclass(frozen=True, slots=True)
class Address:
    """A node as receipts are addressed: by its topic and its source."""

    institution: str
    node: str
    source: str


@dataclass(frozen=True, slots=True)
class ToldVerdict:
    """A verdict as it is told: under its own code, or as `withdrawn`."""

    record_id: int
    stored_code: str
    verdict: ReceiptVerdict


@dataclass(frozen=True, slots=True)
class ToTell:
    """What one receipt has to say, and which rows are settled by it."""

    address: Address
    record_ids: tuple[int, ...]
    received: tuple[Received, ...]
    verdicts: tuple[ToldVerdict, ...]
    seals: tuple[tuple[int, Cosignature], ...]

    def half(self) -> ToTell:
        """Half of each kind, at least one: what is left is said in the next receipt."""

        def share(count: int) -> int:
            return (count + 1) // 2

        records = share(len(self.record_ids))
        return replace(
            self,
            record_ids=self.record_ids[:records],
            received=self.received[:records],
            verdicts=self.verdicts[: share(len(self.verdicts))],
            seals=self.seals[: share(len(self.seals))],
        )


def to_tell(archive: Archive, except_sources: Collection[str]) -> list[ToTell]:
    """What no receipt has said yet, per node, of each kind as much as one receipt may hold (P38).

    `except_sources` have a receipt on its way; what it says must not be said a second time meanwhile.
    """
    return [
        _to_tell(archive, address)
        for address in _addresses_to_tell(archive)
        if address.source not in except_sources
    ]


def _addresses_to_tell(archive: Archive) -> list[Address]:
    rows = archive.execute(
        "SELECT DISTINCT institution, node, source FROM record WHERE receipted = 0"
        " UNION SELECT r.institution, r.node, r.source FROM verdict v JOIN record r ON r.id = v.record_id"
        " WHERE v.told = 0"
        " UNION SELECT r.institution, r.node, r.source FROM cosignature c JOIN record r"
        " ON r.id = c.record_id WHERE c.told = 0"
    )
    return [Address(*row) for row in rows]


def _to_tell(archive: Archive, address: Address) -> ToTell:
    records = archive.execute(
        "SELECT id, sequence, sha256, previous FROM record WHERE source = ? AND receipted = 0"
        " ORDER BY sequence LIMIT ?",
        (address.source, MAX_RANGES),
    ).fetchall()
    verdicts = archive.execute(
        "SELECT r.id, r.sequence, r.sha256, v.code, v.detail, v.withdrawn FROM verdict v"
        " JOIN record r ON r.id = v.record_id WHERE v.told = 0 AND r.source = ? LIMIT ?",
        (address.source, MAX_VERDICTS),
    ).fetchall()
    seals = archive.execute(
        "SELECT r.id, r.sequence, r.sha256, c.merkle_root FROM cosignature c"
        " JOIN record r ON r.id = c.record_id WHERE c.told = 0 AND r.source = ? LIMIT ?",
        (address.source, MAX_VERDICTS),
    ).fetchall()
    return ToTell(
        address,
        tuple(row["id"] for row in records),
        tuple(Received(row["sequence"], row["sha256"], row["previous"]) for row in records),
        tuple(_verdict(row) for row in verdicts),
        tuple(_cosignature(row) for row in seals),
    )


def told(archive: Archive, message: ToTell) -> None:
    """The broker has taken the receipt."""
    archive.execute_many(
        "UPDATE record SET receipted = 1 WHERE id = ?", [(key,) for key in message.record_ids]
    )
    archive.execute_many(
        "UPDATE verdict SET told = 1 WHERE record_id = ? AND code = ? AND withdrawn = ?",
        [
            (item.record_id, item.stored_code, int(item.verdict.code == WITHDRAWN))
            for item in message.verdicts
        ],
    )
    archive.execute_many(
        "UPDATE cosignature SET told = 1 WHERE record_id = ?", [(key,) for key, _ in message.seals]
    )


def _verdict(row: sqlite3.Row) -> ToldVerdict:
    withdrawn = bool(row["withdrawn"])
    verdict = ReceiptVerdict(
        sequence=row["sequence"],
        sha256=row["sha256"].hex(),
        code=WITHDRAWN if withdrawn else row["code"],
        detail=row["code"] if withdrawn else row["detail"],
    )
    return ToldVerdict(row["id"], row["code"], verdict)


def _cosignature(row: sqlite3.Row) -> tuple[int, Cosignature]:
    seal = Cosignature(
        sequence=row["sequence"], sha256=row["sha256"].hex(), merkle_root=row["merkle_root"].hex()
    )
    return row["id"], seal
