-- The receiver's database. Read as prose: what came in, what was thought of it, what was told back.
--
-- Conventions
--   * `_us` are UTC microseconds since 1970 by the receiver's own clock.
--   * A record is known by its bytes: (source, sequence, sha256). Two records of one source and sequence are
--     both kept (a fork): the receiver stores first and judges afterwards, and refuses nothing away (I5).
--   * `previous` and `kind` stand here as the record claims them; what is true of them is in `linked` and in
--     `verdict`.

-- Nodes that were registered from their device cards, and the keys under which their records are believed.
CREATE TABLE node (
  source         TEXT PRIMARY KEY,                  -- urn:classroom-agent:INSTITUTION:ROOM:NODE
  institution    TEXT NOT NULL,
  node           TEXT NOT NULL,
  registered_us  INTEGER NOT NULL
) STRICT;
CREATE TABLE node_key (
  source         TEXT NOT NULL REFERENCES node (source),
  kid            TEXT NOT NULL,                     -- RFC 7638 thumbprint
  jwk            TEXT NOT NULL CHECK (json_valid(jwk)),
  registered_us  INTEGER NOT NULL,
  PRIMARY KEY (source, kid)
) STRICT;

-- Every record that ever came, byte for byte, in the order of arrival. Never changed but for the four marks
-- at the end.
CREATE TABLE record (
  id           INTEGER PRIMARY KEY,
  institution  TEXT    NOT NULL,                    -- of the topic that it came by
  node         TEXT    NOT NULL,
  source       TEXT    NOT NULL,
  sequence     INTEGER NOT NULL CHECK (sequence >= 1),
  sha256       BLOB    NOT NULL CHECK (length(sha256) = 32),   -- of jws
  previous     BLOB    CHECK (length(previous) = 32),          -- NULL: the record names none
  kind         TEXT    NOT NULL,
  jws          BLOB    NOT NULL,
  received_us  INTEGER NOT NULL,
  judged       INTEGER NOT NULL DEFAULT 0 CHECK (judged IN (0, 1)),
  linked       INTEGER NOT NULL DEFAULT 0 CHECK (linked IN (0, 1)),     -- back to record 1 without a hole
  receipted    INTEGER NOT NULL DEFAULT 0 CHECK (receipted IN (0, 1)),  -- its receipt reached the broker
  simulated    INTEGER CHECK (simulated IN (0, 1)),                     -- NULL until judged good (I9)
  UNIQUE (source, sequence, sha256)
) STRICT;
CREATE INDEX record_to_judge ON record (id) WHERE judged = 0;
CREATE INDEX record_to_receipt ON record (source, sequence) WHERE receipted = 0;

-- What is wrong with a record. Told to its node with the next receipt; so is its withdrawal, when the missing
-- neighbour or the node's registration came after all.
CREATE TABLE verdict (
  record_id  INTEGER NOT NULL REFERENCES record (id),
  code       TEXT    NOT NULL,                      -- protocol.md P17
  detail     TEXT    NOT NULL,
  judged_us  INTEGER NOT NULL,
  withdrawn  INTEGER NOT NULL DEFAULT 0 CHECK (withdrawn IN (0, 1)),
  told       INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1)),
  PRIMARY KEY (record_id, code)
) STRICT, WITHOUT ROWID;
CREATE INDEX verdict_to_tell ON verdict (record_id) WHERE told = 0;

-- Seals whose tree was computed here from the records themselves, and cosigned in a receipt (I4).
CREATE TABLE cosignature (
  record_id    INTEGER PRIMARY KEY REFERENCES record (id),
  merkle_root  BLOB    NOT NULL CHECK (length(merkle_root) = 32),
  cosigned_us  INTEGER NOT NULL,
  told         INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1))
) STRICT;
CREATE INDEX cosignature_to_tell ON cosignature (record_id) WHERE told = 0;

-- What is no record at all: kept for a person to look at, up to the configured bound, then only counted.
CREATE TABLE quarantine (
  sha256       BLOB PRIMARY KEY CHECK (length(sha256) = 32),
  topic        TEXT    NOT NULL,
  reason       TEXT    NOT NULL,
  payload      BLOB    NOT NULL,                    -- its first 64 KiB
  bytes        INTEGER NOT NULL,                    -- of the whole
  received_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE quarantine_overflow (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  dropped  INTEGER NOT NULL
) STRICT;

-- Topic filters that the broker denied when the receiver last subscribed: what they name is not heard.
CREATE TABLE denied_subscription (
  filter  TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- The last thing that a node said of its connection; unsigned, for the status page only.
CREATE TABLE presence (
  institution  TEXT    NOT NULL,
  node         TEXT    NOT NULL,
  payload      BLOB    NOT NULL,
  received_us  INTEGER NOT NULL,
  PRIMARY KEY (institution, node)
) STRICT, WITHOUT ROWID;
