"""HR's configuration, the nonces it came with, and HR's credential: the queries."""

from __future__ import annotations

from agent.store.database import Row, Store


def newest(store: Store) -> Row | None:
    """Columns `revision`, `document` (JSON) of the revision in force; None before the first."""
    return store.row("SELECT revision, document FROM configuration ORDER BY revision DESC LIMIT 1")


def practical_recording(store: Store) -> str:
    """`recording.practical` of the revision in force: "whole" or "minimum". For the keeper, which stands
    below the document's own module; what is missing or no known word is "whole"."""
    row = store.row(
        "SELECT json_extract(document, '$.recording.practical') AS practical FROM configuration"
        " ORDER BY revision DESC LIMIT 1"
    )
    return "minimum" if row is not None and row["practical"] == "minimum" else "whole"


def sound_recording(store: Store) -> bool:
    """`recording.audio` of the revision in force. For the keeper, as `practical_recording`; what is missing
    or is not plainly true is no."""
    row = store.row(
        "SELECT json_type(document, '$.recording.audio') AS audio FROM configuration"
        " ORDER BY revision DESC LIMIT 1"
    )
    return row is not None and row["audio"] == "true"


def value(store: Store, key: str) -> bool | int | str | None:
    """A value of the revision in force by its dotted key (`attendance.attended_percent`), for those below the
    document's own module; None where it is missing. A boolean comes as one."""
    row = store.row(
        "SELECT json_type(document, :path) AS type, json_extract(document, :path) AS value"
        " FROM configuration ORDER BY revision DESC LIMIT 1",
        {"path": f"$.{key}"},
    )
    return _scalar(row)


def _scalar(row: Row | None) -> bool | int | str | None:
    if row is None or row["type"] is None:
        return None
    found: bool | int | str = row["value"]
    return bool(found) if row["type"] in ("true", "false") else found


def revision_in_force(store: Store) -> int | None:
    """The number of the revision in force; None before the first. Who has to know later what HR wanted at an
    instant keeps it: stamps do not tell, because the clock may have been set in between."""
    row = newest(store)
    return None if row is None else int(row["revision"])


def value_of(store: Store, key: str, revision: int | None) -> bool | int | str | None:
    """As `value`, of that revision; None: of the time before the first."""
    row = store.row(
        "SELECT json_type(document, :path) AS type, json_extract(document, :path) AS value"
        " FROM configuration WHERE revision = :revision",
        {"path": f"$.{key}", "revision": revision},
    )
    return _scalar(row)


def insert_revision(
    store: Store, *, revision: int, document: str, message: bytes | None, applied_us: int
) -> None:
    """Add a revision. sqlite3.IntegrityError when there is one of that number."""
    store.insert(
        "configuration",
        {"revision": revision, "document": document, "message": message, "applied_us": applied_us},
    )


def nonce_seen(store: Store, nonce: str) -> bool:
    """Whether a message with this nonce was judged before, whatever the judgement."""
    return store.row("SELECT 1 FROM configuration_nonce WHERE nonce = ?", (nonce,)) is not None


def remember_nonce(store: Store, nonce: str, seen_us: int) -> None:
    """Never judge a message with this nonce again."""
    store.execute(
        "INSERT INTO configuration_nonce (nonce, seen_us) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (nonce, seen_us),
    )


def newest_synchronised_us(store: Store, *, look_back: int = 1000) -> int | None:
    """The wall time of the newest fact that was stamped by a synchronised clock, among the last
    `look_back`: true time cannot be before it."""
    row = store.row(
        "SELECT max(at_us) AS at_us FROM (SELECT at_us, clock_state FROM fact ORDER BY id DESC LIMIT ?)"
        " WHERE clock_state = 'synchronised'",
        (look_back,),
    )
    return None if row is None else row["at_us"]


def newest_credential(store: Store) -> Row | None:
    """Columns `id`, `salt`, `memory_kib`, `time_cost`, `parallelism`, `public_key`; None before the first
    password."""
    return store.row(
        "SELECT id, salt, memory_kib, time_cost, parallelism, public_key FROM hr_credential"
        " ORDER BY id DESC LIMIT 1"
    )


def insert_credential(
    store: Store,
    *,
    salt: bytes,
    memory_kib: int,
    time_cost: int,
    parallelism: int,
    public_key: bytes,
    set_us: int,
) -> int:
    """Add a credential, which is in force from now on; returns its number."""
    return store.add(
        "INSERT INTO hr_credential (salt, memory_kib, time_cost, parallelism, public_key, set_us)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (salt, memory_kib, time_cost, parallelism, public_key, set_us),
    )
