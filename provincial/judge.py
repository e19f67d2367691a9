"""Judging what is stored: signature, content, place in the chain, forks and seals, in any order of arrival.

A record's place is proven by hashes, not by numbers: it is `linked` when the record that it names by
`previous` is stored and linked. A bad record gets a verdict and the rest flows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from joserfc.jwk import OKPKey

from agent.evidence.merkle import MerkleTree
from agent.evidence.record import TYPE_PREFIX, LedgerType, RecordError, read_record
from agent.evidence.verifier import check_seal
from provincial.archive import Archive

SEALED = TYPE_PREFIX + LedgerType.SEALED
NO_PREVIOUS = bytes(32)
NAMES_ANOTHER = "names another record before it than the one that is stored"


class Judge:
    """Judges stored records batch by batch."""

    def __init__(self, archive: Archive, now_us: Callable[[], int]) -> None:
        self._archive = archive
        self._now_us = now_us

    def judge(self, limit: int) -> int:
        """Judge the oldest unjudged records, at most `limit`, in one transaction; returns how many."""
        rows = self._archive.execute(
            "SELECT * FROM record WHERE judged = 0 ORDER BY id LIMIT ?", (limit,)
        ).fetchall()
        if not rows:
            return 0
        keys: dict[str, dict[str, OKPKey]] = {}
        with self._archive.transaction():
            for row in rows:
                if row["source"] not in keys:
                    keys[row["source"]] = self._archive.keys_of(row["source"])
                self._judge_content(row, keys[row["source"]])
                self._judge_fork(row)
                self._judge_place(row)
        return len(rows)

    def _judge_content(self, row: sqlite3.Row, keys: dict[str, OKPKey]) -> None:
        simulated: bool | None = None
        if not keys:
            self._verdict(row, "unknown-node", "no key of this node is registered")
        else:
            try:
                record = read_record(row["jws"], keys)
                simulated = record.event.data.simulated
            except RecordError as error:
                self._verdict(row, error.code, error.detail)
        self._archive.execute(
            "UPDATE record SET judged = 1, simulated = ? WHERE id = ?",
            (None if simulated is None else int(simulated), row["id"]),
        )

    def _judge_fork(self, row: sqlite3.Row) -> None:
        """The one that came later is told; that both exist is what matters."""
        other = self._archive.execute(
            "SELECT sha256 FROM record WHERE source = ? AND sequence = ? AND id < ? ORDER BY id LIMIT 1",
            (row["source"], row["sequence"], row["id"]),
        ).fetchone()
        if other is not None:
            detail = f"another record of this number was stored before: sha256 {other['sha256'].hex()}"
            self._verdict(row, "fork", detail)

    def _judge_place(self, row: sqlite3.Row) -> None:
        linked = bool(row["linked"])  # judged anew after a registration: its place is known already
        if linked or self._follows_linked(row):
            self._link_from(row)
        elif self._neighbour_differs(row):
            self._verdict(row, "chain", NAMES_ANOTHER)

    def _follows_linked(self, row: sqlite3.Row) -> bool:
        if row["sequence"] == 1:
            return bool(row["previous"] == NO_PREVIOUS)
        found = self._archive.execute(
            "SELECT 1 FROM record WHERE source = ? AND sequence = ? AND sha256 = ? AND linked = 1",
            (row["source"], row["sequence"] - 1, row["previous"]),
        ).fetchone()
        return found is not None

    def _neighbour_differs(self, row: sqlite3.Row) -> bool:
        if row["sequence"] == 1:
            return True
        neighbours = self._archive.execute(
            "SELECT sha256 FROM record WHERE source = ? AND sequence = ?",
            (row["source"], row["sequence"] - 1),
        ).fetchall()
        return bool(neighbours) and all(found["sha256"] != row["previous"] for found in neighbours)

    def _link_from(self, row: sqlite3.Row) -> None:
        """Mark `row` linked and everything that was waiting for it, however long; check seals on the way."""
        waiting = [row]
        while waiting:
            current = waiting.pop()
            self._archive.execute("UPDATE record SET linked = 1 WHERE id = ?", (current["id"],))
            if current["kind"] == SEALED:
                self._judge_seal(current)
            successors = self._archive.execute(
                "SELECT * FROM record WHERE source = ? AND sequence = ?",
                (current["source"], current["sequence"] + 1),
            ).fetchall()
            for successor in successors:
                if successor["previous"] != current["sha256"]:
                    if successor["judged"] and self._neighbour_differs(successor):
                        self._verdict(successor, "chain", NAMES_ANOTHER)
                elif not successor["linked"]:
                    self._withdraw(successor, "chain")
                    waiting.append(successor)

    def _judge_seal(self, row: sqlite3.Row) -> None:
        """Compute the tree over the linked records back to the seal before, and cosign when it agrees."""
        keys = self._archive.keys_of(row["source"])
        try:
            seal = read_record(row["jws"], keys) if keys else None
        except RecordError:
            return  # its verdict stands already
        if seal is None:
            return
        leaves, first = self._sealed_by(row)
        tree = MerkleTree()
        for leaf in leaves:
            tree.append(leaf)
        try:
            check_seal(seal, first, tree)
        except RecordError as error:
            self._verdict(row, error.code, error.detail)
            return
        self._archive.execute(
            "INSERT INTO cosignature (record_id, merkle_root, cosigned_us) VALUES (?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (row["id"], tree.root(), self._now_us()),
        )

    def _sealed_by(self, row: sqlite3.Row) -> tuple[list[bytes], int]:
        """The records from the seal before (or record 1) up to `row`, along the hashes, oldest first."""
        leaves: list[bytes] = []
        sequence, previous = row["sequence"], row["previous"]
        while sequence > 1:
            sequence -= 1
            before = self._archive.execute(
                "SELECT previous, kind, jws FROM record WHERE source = ? AND sequence = ? AND sha256 = ?",
                (row["source"], sequence, previous),
            ).fetchone()
            leaves.append(before["jws"])
            previous = before["previous"]
            if before["kind"] == SEALED:
                break
        return leaves[::-1], sequence

    def _verdict(self, row: sqlite3.Row, code: str, detail: str) -> None:
        self._archive.execute(
            "INSERT INTO verdict (record_id, code, detail, judged_us) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (record_id, code) DO UPDATE SET withdrawn = 0, told = 0 WHERE withdrawn = 1",
            (row["id"], code, detail[:300], self._now_us()),
        )

    def _withdraw(self, row: sqlite3.Row, code: str) -> None:
        """Its right neighbour has come after all."""
        self._archive.withdraw(row["id"], (code,))
