"""What the archive holds, for people: counts per node, and the whole chain judged anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agent.evidence.verifier import Verdict, verify_chain
from provincial.archive import Archive


def status(archive: Archive) -> dict[str, Any]:
    """Counts per node, of quarantined messages, and of those that were dropped beyond its bound; and the
    subscriptions that the broker denies."""
    rows = archive.execute(
        "SELECT source, count(*) AS records, sum(judged = 0) AS unjudged,"
        " coalesce(max(sequence) FILTER (WHERE linked = 1), 0) AS linked_through,"
        " max(sequence) AS newest, count(*) - count(DISTINCT sequence) AS forks,"
        " coalesce(sum(simulated), 0) AS simulated, sum(receipted = 0) AS unreceipted,"
        " (SELECT count(*) FROM verdict v JOIN record b ON b.id = v.record_id"
        "  WHERE b.source = record.source AND v.withdrawn = 0) AS verdicts,"
        " (SELECT count(*) FROM cosignature c JOIN record b ON b.id = c.record_id"
        "  WHERE b.source = record.source) AS seals,"
        " EXISTS (SELECT 1 FROM node WHERE node.source = record.source) AS registered"
        " FROM record GROUP BY source ORDER BY source"
    ).fetchall()
    dropped = archive.execute("SELECT dropped FROM quarantine_overflow").fetchone()
    return {
        "nodes": [dict(row) for row in rows],
        "quarantined": archive.execute("SELECT count(*) FROM quarantine").fetchone()[0],
        "dropped": dropped["dropped"] if dropped else 0,
        "denied": [row["filter"] for row in archive.execute("SELECT filter FROM denied_subscription")],
    }


def verify_source(archive: Archive, source: str) -> Verdict:
    """Judge the log of one node from its first record on, trusting nothing that was judged before.

    Of a fork the branch that came first is followed; records beyond a hole count as not there.
    """
    return verify_chain(_first_arrived(archive, source), archive.keys_of(source))


def _first_arrived(archive: Archive, source: str) -> Iterator[bytes]:
    rows = archive.execute(
        "SELECT jws FROM record r WHERE source = ? AND id ="
        " (SELECT min(id) FROM record WHERE source = r.source AND sequence = r.sequence) ORDER BY sequence",
        (source,),
    )
    for row in rows:
        yield row["jws"]
