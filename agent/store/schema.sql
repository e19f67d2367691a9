-- The one database of a node. Read as prose: what stands here, why, and for how long.
--
-- Conventions
--   * `_us` are UTC microseconds since 1970, `_ns` CLOCK_MONOTONIC nanoseconds (valid within one boot_id).
--   * ids of persons, sessions, runs, photos are random UUIDs as text; ids of institution, class, room and
--     camera are the short names that people chose (at most 32 of A-Z a-z 0-9 _ -).
--   * Names, telephone and ID numbers live in `person` alone. No other table and no record carries them
--     (I4, I6), so that a person can be erased while the evidence still verifies.
--   * Sizes for which this was laid out: 3 years, 105 000 segments, 2 000 persons, 200 000 check-ins,
--     4 000 000 records.
--   * A new database is made from this file; an older one is brought here by migrations/NNNN_*.sql. A test
--     holds the two equal.

-- ---------------------------------------------------------------------------------------------------------
-- Evidence: facts become records
-- ---------------------------------------------------------------------------------------------------------

-- A fact is what a role states, committed in the same transaction as the rows it speaks of. The ledger turns
-- facts into records in the order of their ids. Facts are never changed and never deleted before the record
-- that carries them may be (I4).
CREATE TABLE fact (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,     -- AUTOINCREMENT: an id is never used twice
  type          TEXT    NOT NULL,                      -- a value of agent.store.facts.FactType
  subject       TEXT    NOT NULL,                      -- what it is about: 'person/UUID', 'segment/RUN/7', …
  class_id      TEXT,
  session_id    TEXT,
  simulated     INTEGER NOT NULL CHECK (simulated IN (0, 1)),   -- I9
  at_us         INTEGER NOT NULL,
  monotonic_ns  INTEGER NOT NULL,
  boot_id       TEXT    NOT NULL,
  clock_state   TEXT    NOT NULL CHECK (clock_state IN ('synchronised', 'unsynchronised')),  -- I8
  data          TEXT    NOT NULL CHECK (json_valid(data) AND json_type(data) = 'object'),
  CHECK (length(subject) BETWEEN 1 AND 200),            -- what no record could carry is refused here, to
  CHECK (length(CAST(data AS BLOB)) <= 262144)          -- whoever states it, and never blocks the ledger
) STRICT;
-- The watch role asks at each look, under the write lock, how far a session's counts are stated.
CREATE INDEX fact_heads_counted ON fact (session_id, id) WHERE type = 'visibility.heads-counted';
CREATE INDEX fact_catch_up_ended ON fact (session_id, id) WHERE type = 'visibility.catch-up-ended';
-- What a class's attendance rests on: its digest goes with every table that leaves the device.
CREATE INDEX fact_of_attendance ON fact (class_id, id) WHERE type IN
  ('check-in.answered', 'check-in.decided', 'check-in.counted', 'spot-check.ended', 'suspicion.decided',
   'attendance.corrected', 'session.opened', 'session.closed', 'session.cancelled', 'session.plan-changed',
   'session.make-up-bound', 'session.make-up-released', 'session.continuity-judged', 'class.imported');
-- What a room's trust rests on, and its orders, are read from what was stated: there is no row of an order.
CREATE INDEX fact_of_counting ON fact (id) WHERE type IN ('visibility.judged', 'visibility.people-counted');
CREATE INDEX fact_of_trust ON fact (id) WHERE type IN ('room.trusted', 'room.trust-ended');
-- A clip carries the signed record of each segment that it touches.
CREATE INDEX fact_segment_closed ON fact (subject) WHERE type = 'recording.segment-closed';
-- By which clock somebody left a class or was enrolled: retention asks before it destroys a face.
CREATE INDEX fact_of_faces ON fact (subject, at_us) WHERE type IN ('class.imported', 'person.enrolled');

-- The record log: append-only, contiguous from 1, each record naming the hash of the one before (I4). `jws`
-- holds exactly the bytes that were signed and are sent. fact_id is NULL for the ledger's own records
-- (log.started, log.sealed, log.key-changed, log.damaged).
CREATE TABLE record (
  sequence  INTEGER PRIMARY KEY CHECK (sequence >= 1),
  fact_id   INTEGER UNIQUE REFERENCES fact (id),
  id        TEXT NOT NULL UNIQUE,                      -- CloudEvents id, a UUID
  type      TEXT NOT NULL,
  time_us   INTEGER NOT NULL,
  sha256    BLOB NOT NULL CHECK (length(sha256) = 32), -- of jws
  jws       BLOB NOT NULL
) STRICT;
CREATE INDEX record_by_type ON record (type, sequence);

CREATE TRIGGER record_is_append_only_no_update BEFORE UPDATE ON record
BEGIN SELECT RAISE (ABORT, 'the record log is append-only (I4)'); END;
CREATE TRIGGER record_is_append_only_no_delete BEFORE DELETE ON record
BEGIN SELECT RAISE (ABORT, 'the record log is append-only (I4)'); END;
CREATE TRIGGER record_is_contiguous BEFORE INSERT ON record
WHEN NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM record)
BEGIN SELECT RAISE (ABORT, 'a record must follow the last one without a hole (I4)'); END;

-- ---------------------------------------------------------------------------------------------------------
-- Outbox: the record log with a cursor per destination (I5, R23)
-- ---------------------------------------------------------------------------------------------------------

-- Everything up to `receipted_through` has the destination's receipt; single receipts beyond it stand in
-- `receipt_ahead` until the cursor reaches them.
CREATE TABLE destination (
  name               TEXT PRIMARY KEY,
  receipted_through  INTEGER NOT NULL DEFAULT 0,
  last_receipt_us    INTEGER
) STRICT;
CREATE TABLE receipt_ahead (
  destination  TEXT    NOT NULL REFERENCES destination (name),
  sequence     INTEGER NOT NULL,
  PRIMARY KEY (destination, sequence)
) STRICT, WITHOUT ROWID;
-- A record that the receiver stored but judged bad, one row a reason. Shown on the page; the rest flows. The
-- receiver takes one back when what was missing came after all (a neighbour, the node's registration).
CREATE TABLE receipt_verdict (
  destination  TEXT    NOT NULL REFERENCES destination (name),
  sequence     INTEGER NOT NULL,
  code         TEXT    NOT NULL,
  detail       TEXT    NOT NULL,
  received_us  INTEGER NOT NULL,
  PRIMARY KEY (destination, sequence, code)
) STRICT;
-- The receiver's signed receipt that covers a seal: its cosignature (I4).
CREATE TABLE cosignature (
  destination    TEXT    NOT NULL REFERENCES destination (name),
  seal_sequence  INTEGER NOT NULL REFERENCES record (sequence),
  receipt_jws    BLOB    NOT NULL,
  received_us    INTEGER NOT NULL,
  PRIMARY KEY (destination, seal_sequence)
) STRICT;

-- ---------------------------------------------------------------------------------------------------------
-- People, classes, sessions
-- ---------------------------------------------------------------------------------------------------------

CREATE TABLE person (
  id                 TEXT PRIMARY KEY,
  name               TEXT NOT NULL,
  id_number_sealed   BLOB,                             -- under the person's evidence key; NULL when not given
  id_number_last4    TEXT,                             -- what the page may show
  created_us         INTEGER NOT NULL,
  erased_us          INTEGER                           -- then name = '' and the sealed columns are NULL
) STRICT;

-- Consent to face processing; without a current one no template exists (I7). Withdrawal is a date, not a
-- deletion: that the consent once stood is itself evidence.
CREATE TABLE consent (
  id            INTEGER PRIMARY KEY,
  person_id     TEXT    NOT NULL REFERENCES person (id),
  version       TEXT    NOT NULL,                      -- which text was agreed to
  given_us      INTEGER NOT NULL,
  recorded_by   TEXT    NOT NULL,                      -- account that recorded it
  withdrawn_us  INTEGER
) STRICT;

-- A key per person and purpose, wrapped by the device's wrapping key (agent/store/vault.py). Destroying one
-- deletes the row and rotates the wrapping key, so that an old copy of this table opens nothing (I7).
CREATE TABLE person_key (
  subject_id   TEXT NOT NULL,                          -- a person's id, or a stranger's random id
  purpose      TEXT NOT NULL CHECK (purpose IN ('template', 'evidence')),
  wrapped      BLOB NOT NULL,
  wrapping_id  TEXT NOT NULL,                          -- which wrapping key wraps it
  -- An evidence key for HR staff too (agent/store/hr_wrap.py): their password opens it when the device's key is
  -- lost. In this row, so that nothing of a destroyed key stays.
  hr_wrapped     BLOB CHECK (hr_wrapped IS NULL OR purpose = 'evidence'),
  hr_credential  INTEGER,                              -- whose password: hr_credential.id
  PRIMARY KEY (subject_id, purpose),
  CHECK ((hr_wrapped IS NULL) = (hr_credential IS NULL))
) STRICT;

-- Wrapping keys that this database made and has no use for: their files go at the next sweep, others never.
-- The ids stay, so that a retired key's file that comes back with a copied folder is removed again.
CREATE TABLE retired_wrapping_key (
  wrapping_id  TEXT PRIMARY KEY
) STRICT;

CREATE TABLE template (
  id          TEXT PRIMARY KEY,
  person_id   TEXT NOT NULL REFERENCES person (id),
  engine      TEXT NOT NULL,                           -- templates of two engines are never compared
  sealed      BLOB NOT NULL,                           -- float32 little endian, under the template key
  quality     REAL NOT NULL,
  created_us  INTEGER NOT NULL
) STRICT;
CREATE INDEX template_by_person ON template (person_id, engine);
-- Accepted enrolment photos (face and surroundings, JPEG) under the template key: from them templates are made
-- anew when the engine changes. They end with the templates.
CREATE TABLE enrolment_photo (
  id          TEXT PRIMARY KEY,
  person_id   TEXT NOT NULL REFERENCES person (id),
  sealed      BLOB NOT NULL,
  created_us  INTEGER NOT NULL
) STRICT;
CREATE INDEX enrolment_photo_by_person ON enrolment_photo (person_id);

CREATE TABLE class (
  id               TEXT PRIMARY KEY,
  title            TEXT NOT NULL,
  occupation       TEXT NOT NULL,                      -- 培训专业(工种)及级别
  term_number      TEXT NOT NULL,                      -- 班期数, given by the HR department (R22)
  approval         TEXT NOT NULL,                      -- reference of the approval; '' = not approved yet
  city             TEXT NOT NULL,                      -- selects the city supplement of the policy
  opening_day      TEXT NOT NULL,                      -- YYYY-MM-DD, Asia/Shanghai: selects the notice for life
  planned_hours    INTEGER NOT NULL,
  practical_hours  INTEGER,                            -- of planned_hours; NULL: was not said
  online_hours     INTEGER,                            -- on an online platform, on no device (R19)
  workplaces       INTEGER,                            -- 工位 (R14)
  training_certificate INTEGER CHECK (training_certificate IN (0, 1)),   -- 培训合格证书: R21 holds
  hours_fixed_elsewhere INTEGER CHECK (hours_fixed_elsewhere IN (0, 1)), -- R21's exception
  other_rooms      TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(other_rooms)),  -- filmed by other devices
  notices          TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(notices)),  -- ids: its set of rules for life;
                                                       -- '[]': by opening day and city
  warnings         TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(warnings)),  -- the policy's: rule, zh, en
  source_sha256    TEXT NOT NULL,                      -- of the file or configuration it was imported from
  imported_us      INTEGER NOT NULL
) STRICT;

CREATE TABLE enrolment (
  class_id   TEXT NOT NULL REFERENCES class (id),
  person_id  TEXT NOT NULL REFERENCES person (id),
  role       TEXT NOT NULL CHECK (role IN ('trainee', 'teacher')),
  left_us    INTEGER,
  away       TEXT NOT NULL DEFAULT '[]' CHECK (json_type(away) = 'array'),  -- [[from_us, until_us], …] when they
                                                       -- were not in the class: from 0 until they joined it late,
                                                       -- from their leaving until they came back
  PRIMARY KEY (class_id, person_id)
) STRICT;

-- What the last import of a class changed, so that it can be taken back: rows of class, enrolment and session
-- as they were and as they became. Ids only, no names.
CREATE TABLE class_import (
  class_id       TEXT PRIMARY KEY,
  imported_us    INTEGER NOT NULL,
  source_sha256  TEXT NOT NULL,
  before         TEXT NOT NULL CHECK (json_valid(before)),
  after          TEXT NOT NULL CHECK (json_valid(after))
) STRICT;

-- One lesson of a class in one room on one day (课). Planned by timetable, opened and closed by plan and by
-- people; `room` decides which node acts on it.
CREATE TABLE session (
  id                TEXT PRIMARY KEY,
  class_id          TEXT NOT NULL REFERENCES class (id),
  room              TEXT NOT NULL,
  kind              TEXT NOT NULL CHECK (kind IN ('theory', 'practical', 'examination', 'make_up')),
  planned_start_us  INTEGER NOT NULL,
  planned_end_us    INTEGER NOT NULL CHECK (planned_end_us > planned_start_us),
  class_hours       INTEGER NOT NULL CHECK (class_hours >= 1),
  state             TEXT NOT NULL CHECK (state IN ('planned', 'open', 'closed', 'cancelled')),
  opened_us         INTEGER,
  closed_us         INTEGER,
  close_reason      TEXT,
  breaks            TEXT NOT NULL DEFAULT '[]' CHECK (json_type(breaks) = 'array')  -- [[start_us, end_us], …]
) STRICT;
CREATE INDEX session_by_plan ON session (room, planned_start_us);
CREATE UNIQUE INDEX one_open_session_per_room ON session (room) WHERE state = 'open';

-- Make-up lessons (R5): for whom class hour `hour` of `session_id` stands for an hour that was missed. An hour
-- is made up once, and an hour of a make-up lesson stands for one. A row goes when the make-up lesson does.
CREATE TABLE make_up (
  session_id         TEXT    NOT NULL REFERENCES session (id),
  hour               INTEGER NOT NULL CHECK (hour >= 1),
  person_id          TEXT    NOT NULL REFERENCES person (id),
  missed_session_id  TEXT    NOT NULL REFERENCES session (id),
  missed_hour        INTEGER NOT NULL CHECK (missed_hour >= 1),
  bound_us           INTEGER NOT NULL,
  PRIMARY KEY (person_id, missed_session_id, missed_hour),
  UNIQUE (person_id, session_id, hour)
) STRICT, WITHOUT ROWID;
CREATE INDEX make_up_by_session ON make_up (session_id);

-- What people changed in a timetable, one row a lesson, those of one edit under one id. An edit is taken back by
-- another, never erased. The reason stands here and not in a record, because people write names into it.
CREATE TABLE timetable_edit (
  number      INTEGER PRIMARY KEY AUTOINCREMENT,
  edit_id     TEXT    NOT NULL,
  class_id    TEXT    NOT NULL REFERENCES class (id),
  session_id  TEXT    NOT NULL REFERENCES session (id),
  before      TEXT    CHECK (before IS NULL OR json_valid(before)),  -- the lesson's plan; NULL: there was none
  after       TEXT    CHECK (after IS NULL OR json_valid(after)),    -- NULL: it was called off
  reason      TEXT    NOT NULL,
  edited_us   INTEGER NOT NULL,
  undoes      TEXT                                     -- edit_id of the edit that this one takes back
) STRICT;
CREATE INDEX timetable_edit_of ON timetable_edit (class_id, number);
CREATE INDEX timetable_edit_by_id ON timetable_edit (edit_id);

-- ---------------------------------------------------------------------------------------------------------
-- Check-in
-- ---------------------------------------------------------------------------------------------------------

-- Every answer that the door gave, accepted or not; the page's "last check-ins" and the impostor hunt (R7)
-- read the same rows. A person is accepted once per session, whatever races.
CREATE TABLE check_in (
  id          TEXT PRIMARY KEY,
  session_id  TEXT NOT NULL REFERENCES session (id),
  person_id   TEXT REFERENCES person (id),             -- NULL: nobody was recognised
  outcome     TEXT NOT NULL CHECK (outcome IN
                ('accepted', 'already_checked_in', 'checked_out', 'not_in_class', 'unknown', 'suspected_attack',
                   'failed', 'awaiting_confirmation', 'rejected')),
  method      TEXT NOT NULL CHECK (method IN ('face', 'pin')),
  at_us       INTEGER NOT NULL,
  revision    INTEGER,                                 -- of HR's configuration that was in force then; NULL: none
  engine      TEXT,
  sufficient  INTEGER NOT NULL DEFAULT 0 CHECK (sufficient IN (0, 1)),  -- a face that was judged in full: it would
                                                       -- have been accepted had the person not been present
  distance    REAL,                                    -- to the matched template; engine's own measure
  margin      REAL,                                    -- to the nearest other person
  frames      INTEGER,                                 -- frames that agreed
  liveness    TEXT NOT NULL CHECK (liveness IN ('live', 'attack', 'unsure', 'not_judged')),
  photo_id    TEXT REFERENCES photo (id),
  simulated   INTEGER NOT NULL CHECK (simulated IN (0, 1)),
  spot_check_id TEXT REFERENCES spot_check (id),       -- the call that it answers, and so no leaving; NULL: none
  in_time     INTEGER CHECK (in_time IN (0, 1))        -- by the monotonic clock, when the person stood there
                      CHECK ((spot_check_id IS NULL) = (in_time IS NULL))
) STRICT;
CREATE INDEX check_in_by_spot_check ON check_in (spot_check_id) WHERE spot_check_id IS NOT NULL;
CREATE UNIQUE INDEX accepted_once ON check_in (session_id, person_id) WHERE outcome = 'accepted';
CREATE INDEX check_in_by_session ON check_in (session_id, at_us);
CREATE INDEX check_in_awaiting ON check_in (session_id) WHERE outcome = 'awaiting_confirmation';
CREATE INDEX check_in_by_person ON check_in (person_id);  -- what keeps a person's name

-- Evidence photos lie sealed in state/photos/ID.sealed; the row exists only after the file is synced.
CREATE TABLE photo (
  id          TEXT PRIMARY KEY,
  subject_id  TEXT NOT NULL,                           -- whose evidence key sealed it
  sha256      BLOB NOT NULL CHECK (length(sha256) = 32),   -- of the sealed bytes
  taken_us    INTEGER NOT NULL,
  expired_us  INTEGER                                  -- file removed by retention; the row stays
) STRICT;

-- The non-face way: a number and a PIN of six digits. `sealed` is the PIN's Argon2id hash under the person's
-- evidence key: whoever copies this table cannot try PINs on it without the device's key. The number tells who
-- types; it stands on no list at the door.
CREATE TABLE pin (
  person_id  TEXT PRIMARY KEY REFERENCES person (id),
  number     INTEGER NOT NULL UNIQUE CHECK (number BETWEEN 100 AND 9999),
  sealed     BLOB    NOT NULL,
  set_us     INTEGER NOT NULL
) STRICT;
-- Wrong PINs, for the limits per person and per device; kept over reboots, forgotten after a day.
CREATE TABLE pin_failure (
  id      INTEGER PRIMARY KEY,
  number  INTEGER NOT NULL,                            -- as typed; nobody's, too
  at_us   INTEGER NOT NULL
) STRICT;
-- What people decided of a check-in that awaited confirmation. Rows stay; the newest holds, and `check_in`
-- carries the outcome that follows from it. The reason stands here and not in a record, because people write
-- names into it.
CREATE TABLE check_in_decision (
  number       INTEGER PRIMARY KEY AUTOINCREMENT,
  check_in_id  TEXT    NOT NULL REFERENCES check_in (id),
  decision     TEXT    NOT NULL CHECK (decision IN ('confirmed', 'rejected')),
  account      TEXT    NOT NULL,                       -- 'hr', or 'teacher/UUID'
  reason       TEXT    NOT NULL,
  decided_us   INTEGER NOT NULL
) STRICT;
CREATE INDEX check_in_decision_of ON check_in_decision (check_in_id, number);

-- Impostors (R7) and teachers of no register (R15): what the device suspects, one row a person and lesson's
-- stretch of time; each answer of the door that raised it is a sighting, whose photo is the check-in's.
CREATE TABLE suspicion (
  id               TEXT PRIMARY KEY,
  kind             TEXT    NOT NULL CHECK (kind IN
                     ('stranger', 'attack', 'one_face_two_people', 'unregistered_teacher')),
  session_id       TEXT    NOT NULL REFERENCES session (id),
  person_id        TEXT REFERENCES person (id),        -- whom the door named, if anybody
  other_person_id  TEXT REFERENCES person (id),        -- one_face_two_people: as whom the face came before
  state            TEXT    NOT NULL CHECK (state IN ('open', 'confirmed', 'rejected')),
  first_us         INTEGER NOT NULL,
  last_us          INTEGER NOT NULL,
  simulated        INTEGER NOT NULL CHECK (simulated IN (0, 1))
) STRICT;
CREATE INDEX suspicion_by_session ON suspicion (session_id, first_us);
CREATE INDEX suspicion_open ON suspicion (session_id) WHERE state = 'open';
CREATE INDEX suspicion_confirmed ON suspicion (kind, session_id) WHERE state = 'confirmed';
CREATE TABLE suspicion_sighting (
  suspicion_id  TEXT NOT NULL REFERENCES suspicion (id),
  check_in_id   TEXT NOT NULL REFERENCES check_in (id),
  PRIMARY KEY (suspicion_id, check_in_id)
) STRICT, WITHOUT ROWID;
-- What HR staff decided of a suspicion. Rows stay; the newest holds ('reopened' takes one back).
CREATE TABLE suspicion_decision (
  number        INTEGER PRIMARY KEY AUTOINCREMENT,
  suspicion_id  TEXT    NOT NULL REFERENCES suspicion (id),
  decision      TEXT    NOT NULL CHECK (decision IN ('confirmed', 'rejected', 'reopened')),
  account       TEXT    NOT NULL,
  reason        TEXT    NOT NULL,
  decided_us    INTEGER NOT NULL
) STRICT;
CREATE INDEX suspicion_decision_of ON suspicion_decision (suspicion_id, number);
-- Classes whose alarm of R7 stands, and since when.
CREATE TABLE impostor_alarm (
  class_id   TEXT PRIMARY KEY REFERENCES class (id),
  raised_us  INTEGER NOT NULL
) STRICT;
-- Teachers whom HR staff found in the provincial register (R15).
CREATE TABLE registered_teacher (
  person_id  TEXT PRIMARY KEY REFERENCES person (id),
  stated_us  INTEGER NOT NULL
) STRICT;

-- Random spot checks (R17, R18): who was drawn, until when, and what came of it.
CREATE TABLE spot_check (
  id            TEXT PRIMARY KEY,
  session_id    TEXT    NOT NULL REFERENCES session (id),
  person_id     TEXT    NOT NULL REFERENCES person (id),
  drawn_us      INTEGER NOT NULL,
  minutes       INTEGER NOT NULL CHECK (minutes BETWEEN 1 AND 60),
  monotonic_ns  INTEGER NOT NULL,
  boot_id       TEXT    NOT NULL,
  result        TEXT CHECK (result IN ('passed', 'missed', 'void')),   -- NULL while it runs
  ended_us      INTEGER,
  simulated     INTEGER NOT NULL CHECK (simulated IN (0, 1)),
  CHECK ((result IS NULL) = (ended_us IS NULL))
) STRICT;
CREATE INDEX spot_check_by_session ON spot_check (session_id, drawn_us);
CREATE UNIQUE INDEX one_spot_check_at_a_time ON spot_check (session_id) WHERE result IS NULL;

-- Later corrections of attendance, by a teacher of the class and HR staff together, grounded on the recording. Rows
-- stay; the newest of an hour holds, and the check-ins stay as they are. The reason stands here and not in a record,
-- because people write names into it.
CREATE TABLE attendance_correction (
  number         INTEGER PRIMARY KEY AUTOINCREMENT,
  id             TEXT    NOT NULL UNIQUE,
  session_id     TEXT    NOT NULL REFERENCES session (id),
  hour           INTEGER NOT NULL CHECK (hour >= 1),
  person_id      TEXT    NOT NULL REFERENCES person (id),
  state          TEXT    NOT NULL CHECK (state IN
                   ('attended', 'late', 'left_early', 'absent', 'excused', 'withdrawn')),
  teacher_id     TEXT    NOT NULL REFERENCES person (id),
  account        TEXT    NOT NULL,                     -- of HR staff
  reason         TEXT    NOT NULL,
  video_from_us  INTEGER,
  video_until_us INTEGER CHECK (video_until_us >= video_from_us),
  corrected_us   INTEGER NOT NULL,
  supersedes     TEXT    UNIQUE REFERENCES attendance_correction (id),
  CHECK ((video_from_us IS NULL) = (video_until_us IS NULL)),
  CHECK (state = 'withdrawn' OR video_from_us IS NOT NULL)
) STRICT;
CREATE INDEX attendance_correction_of ON attendance_correction (session_id, number);
CREATE UNIQUE INDEX one_first_correction ON attendance_correction (session_id, hour, person_id)
  WHERE supersedes IS NULL;
CREATE INDEX attendance_correction_by_person ON attendance_correction (person_id);  -- what keeps a person's name

-- What was stated of a class's attendance (class.attendance-stated): R16 once the opening day is over, the rest once
-- the training is. Superseded, never changed; `basis` tells why another took its place.
CREATE TABLE attendance_statement (
  number      INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT    NOT NULL UNIQUE,
  class_id    TEXT    NOT NULL REFERENCES class (id),
  part        TEXT    NOT NULL CHECK (part IN ('opening', 'training')),
  stated_us   INTEGER NOT NULL,
  supersedes  TEXT    UNIQUE REFERENCES attendance_statement (id),
  because     TEXT    NOT NULL CHECK (json_type(because) = 'array'),
  data        TEXT    NOT NULL CHECK (json_type(data) = 'object'),
  basis       TEXT    NOT NULL CHECK (json_type(basis) = 'object')
) STRICT;
CREATE INDEX attendance_statement_of ON attendance_statement (class_id, part, number);
CREATE UNIQUE INDEX one_first_statement ON attendance_statement (class_id, part) WHERE supersedes IS NULL;

-- ---------------------------------------------------------------------------------------------------------
-- Footage
-- ---------------------------------------------------------------------------------------------------------

-- A run is one unbroken stream from one camera: one opening, one set of stream parameters.
CREATE TABLE run (
  id            TEXT PRIMARY KEY,
  room          TEXT NOT NULL,                         -- as the files say: whose sessions decide over it
  camera        TEXT NOT NULL,
  driver        TEXT NOT NULL,
  simulated     INTEGER NOT NULL CHECK (simulated IN (0, 1)),
  codec         TEXT NOT NULL,
  width         INTEGER NOT NULL,
  height        INTEGER NOT NULL,
  time_base_denominator INTEGER NOT NULL,              -- ticks per second (numerator is 1)
  boot_id       TEXT NOT NULL
) STRICT;

-- A row exists only after file and folder are synced, and sha256 is of the file's bytes (I2). start and end
-- count ticks of the run; segment n ends where n+1 starts. Wall stamps are for finding, ticks for proving.
CREATE TABLE segment (
  run_id          TEXT    NOT NULL REFERENCES run (id),
  sequence        INTEGER NOT NULL,
  path            TEXT    NOT NULL UNIQUE,             -- relative to the video folder
  start_ticks     INTEGER NOT NULL,
  end_ticks       INTEGER NOT NULL CHECK (end_ticks >= start_ticks),
  start_us        INTEGER NOT NULL,
  end_us          INTEGER NOT NULL,
  monotonic_start_ns INTEGER NOT NULL,
  clock_state     TEXT    NOT NULL CHECK (clock_state IN ('synchronised', 'unsynchronised')),
  bytes           INTEGER NOT NULL,
  sha256          BLOB    NOT NULL CHECK (length(sha256) = 32),
  previous_sha256 BLOB    CHECK (length(previous_sha256) = 32),
  end_reason      TEXT    NOT NULL,
  expired_us      INTEGER,                             -- file removed by retention; the row stays
  stated_us       INTEGER NOT NULL,                    -- when this row was made: long after the footage, this
                                                       -- database may not know whose lesson it was
  volume          TEXT,                                -- marker of the disk it was seen on; NULL: not yet seen
  not_before_us   INTEGER,                             -- its true time lies within these, seen by a clock that was
  not_after_us    INTEGER,                             -- vouched for (I8); for unsynchronised stamps alone
  gops            BLOB    NOT NULL CHECK (length(gops) % 8 = 0),  -- 8 bytes a group of pictures: offset of the
                                                       -- moof with its key frame, ticks since start_ticks
  fragments       BLOB    NOT NULL,                    -- 32 bytes a fragment, entry 0 is the header; the last
                                                       -- column, so that reading the others skips its 19 KB
  PRIMARY KEY (run_id, sequence)
) STRICT;  -- with rowids: a row of 21 KB as the key of a tree costs each look at one a walk over seven such rows
CREATE INDEX segment_by_time ON segment (start_us, end_us);
-- The oldest footage of a clock that was right: asked each second by retention.
CREATE INDEX segment_synchronised ON segment (start_us) WHERE clock_state = 'synchronised';
-- Which run follows which, whatever the wall clock was set to in between.
CREATE INDEX run_follows ON segment (previous_sha256) WHERE sequence = 0;

-- What inspectors found in a class (R17, R18), as HR staff entered it: counts alone, no name and no free text. A
-- wrong entry is withdrawn, never changed.
CREATE TABLE inspection (
  id           TEXT    PRIMARY KEY,
  class_id     TEXT    NOT NULL REFERENCES class (id),
  kind         TEXT    NOT NULL CHECK (kind IN ('opening', 'on_site', 'random', 'remote')),
  at_us        INTEGER NOT NULL,
  in_place     INTEGER NOT NULL CHECK (in_place BETWEEN 0 AND 1000),  -- trainees
  teachers     INTEGER NOT NULL CHECK (teachers BETWEEN 0 AND 100),
  entered_us   INTEGER NOT NULL,
  withdrawn_us INTEGER
) STRICT;
CREATE INDEX inspection_of ON inspection (class_id, at_us);

-- What was stated of a closed lesson's class hours (session.continuity-judged). One that a corrected clock or
-- footage that came back made wrong is not changed: another takes its place and names it. `basis` tells without
-- reading a file whether anything moved since.
CREATE TABLE continuity_judgement (
  number      INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT    NOT NULL UNIQUE,
  session_id  TEXT    NOT NULL REFERENCES session (id),
  stated_us   INTEGER NOT NULL,
  supersedes  TEXT    UNIQUE REFERENCES continuity_judgement (id),
  because     TEXT    NOT NULL CHECK (json_type(because) = 'array'),
  data        TEXT    NOT NULL CHECK (json_type(data) = 'object'),   -- as in the fact
  basis       TEXT    NOT NULL CHECK (json_type(basis) = 'object'),
  simulated   INTEGER NOT NULL CHECK (simulated IN (0, 1))           -- no live camera filmed it: proves nothing (I9)
) STRICT;
CREATE INDEX continuity_judgement_of ON continuity_judgement (session_id);

-- What the second copies hold (R8): a row stands only after the file there was written, synced, read back from
-- its disk and found to have the segment's hash. No foreign key: after a lost database these rows are back before
-- the index of the footage is.
CREATE TABLE segment_copy (
  copy         TEXT    NOT NULL,                       -- name of a [[copies]] block of the settings
  run_id       TEXT    NOT NULL,
  sequence     INTEGER NOT NULL,
  volume       TEXT    NOT NULL,                       -- marker of its disk; '' where the settings ask for none
  verified_us  INTEGER NOT NULL,
  expired_us   INTEGER,                                -- file removed by retention; the row stays
  stated       INTEGER NOT NULL DEFAULT 0 CHECK (stated IN (0, 1)),  -- in a fact copy.segments-verified
  PRIMARY KEY (copy, run_id, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX segment_copy_to_state ON segment_copy (copy, verified_us) WHERE stated = 0;
-- Files of this node whose bytes are no longer those of their record, until they are restored from a copy.
CREATE TABLE segment_damage (
  run_id    TEXT    NOT NULL,
  sequence  INTEGER NOT NULL,
  found_us  INTEGER NOT NULL,
  PRIMARY KEY (run_id, sequence)
) STRICT, WITHOUT ROWID;

-- How far each place ('own', or a copy's name) was read again in the monthly pass that looks for rotten bits.
CREATE TABLE scrub (
  place          TEXT PRIMARY KEY,                     -- 'own' or a copy's name, and its disk's volume
  began_us       INTEGER NOT NULL,
  run_id         TEXT    NOT NULL,                     -- the last segment that was read
  sequence       INTEGER NOT NULL,
  read_segments  INTEGER NOT NULL,
  finished_us    INTEGER                               -- NULL while the pass lasts
) STRICT, WITHOUT ROWID;

-- Time without video, each with its reason (I3). end_us is NULL while it lasts.
CREATE TABLE gap (
  id          TEXT PRIMARY KEY,
  camera      TEXT    NOT NULL,
  reason      TEXT    NOT NULL CHECK (reason IN
                ('power', 'crash', 'camera', 'disk', 'clock', 'operator', 'maintenance')),
  start_us    INTEGER NOT NULL,
  end_us      INTEGER,
  run_before  TEXT,
  run_after   TEXT,
  detail      TEXT    NOT NULL DEFAULT ''
) STRICT;
-- Which gaps last, and which ended since: neither reads those of the years before.
CREATE INDEX gap_by_end ON gap (camera, end_us);
-- Why a run ended, asked for each file of it that is taken in after the database was lost.
CREATE INDEX gap_by_run ON gap (run_before);

-- Segment files that hold no whole fragment: what a kill or a power cut leaves of the first half second of a
-- segment. They stay where they lie (I1: nothing is deleted on the word of an index), but each start need not
-- read them again while size and time of writing are these.
CREATE TABLE file_without_footage (
  run_id       TEXT    NOT NULL,
  sequence     INTEGER NOT NULL,
  bytes        INTEGER NOT NULL,
  modified_ns  INTEGER NOT NULL,
  seen_us      INTEGER NOT NULL,
  PRIMARY KEY (run_id, sequence)
) STRICT, WITHOUT ROWID;

-- ---------------------------------------------------------------------------------------------------------
-- Visibility
-- ---------------------------------------------------------------------------------------------------------

CREATE TABLE head_count (
  id          INTEGER PRIMARY KEY,
  run_id      TEXT    NOT NULL,                        -- no foreign key: counted while the segment still grows
  sequence    INTEGER NOT NULL,
  pts_ticks   INTEGER NOT NULL,
  at_us       INTEGER NOT NULL,
  session_id  TEXT REFERENCES session (id),
  counted     INTEGER NOT NULL,
  expected    INTEGER,                                 -- people checked in then; NULL without a session
  detector    TEXT    NOT NULL,
  simulated   INTEGER NOT NULL CHECK (simulated IN (0, 1)),
  boxes       TEXT    NOT NULL CHECK (json_valid(boxes)),  -- [[x1, y1, x2, y2, score], …] in pixels
  caught_up_us INTEGER,                                -- when it was counted, where that was not at once but
                                                       -- afterwards, from the finished recording; NULL: at once
  UNIQUE (run_id, sequence, pts_ticks, detector)       -- a counter put in another's place counts anew
) STRICT;
CREATE INDEX head_count_by_time ON head_count (at_us);
CREATE INDEX head_count_by_session ON head_count (session_id, at_us);

-- Pictures of the recording that cannot be counted afterwards, so that nobody tries for ever.
CREATE TABLE picture_refused (
  run_id     TEXT    NOT NULL REFERENCES run (id),
  sequence   INTEGER NOT NULL,
  ticks      INTEGER NOT NULL,                         -- decoding time of the key frame, as in segment.gops
  reason     TEXT    NOT NULL CHECK (reason IN ('altered', 'undecodable', 'crashed', 'unreadable')),
  refused_us INTEGER NOT NULL,
  PRIMARY KEY (run_id, sequence, ticks)
) STRICT;

-- Pictures on which the counting process ended, so that what was learned of them outlives the archive's own
-- process: nobody tries a deadly picture without end, and none is refused for what was forgotten. Gone once the
-- picture was answered.
CREATE TABLE recount_death (
  run_id   TEXT    NOT NULL REFERENCES run (id),
  sequence INTEGER NOT NULL,
  ticks    INTEGER NOT NULL,                           -- as in picture_refused
  deaths   INTEGER NOT NULL CHECK (deaths >= 1),
  blamed   INTEGER NOT NULL CHECK (blamed BETWEEN 0 AND deaths),  -- of those, right after it counted another
  last_us  INTEGER NOT NULL,
  PRIMARY KEY (run_id, sequence, ticks)
) STRICT;

-- The room as the camera saw it when it was aimed and the room was empty: what the view is held against (moved,
-- covered), and what a picture with people in it differs from. Grey, lossless (PNG), so many pixels as the
-- checks need; nobody is to be in it. Never changed: a new one takes its place.
CREATE TABLE reference_view (
  id         INTEGER PRIMARY KEY,
  room       TEXT    NOT NULL,
  taken_us   INTEGER NOT NULL,                         -- wall time of the picture
  width      INTEGER NOT NULL CHECK (width > 0),       -- of the recording's picture, not of this one
  height     INTEGER NOT NULL CHECK (height > 0),
  grey_png   BLOB    NOT NULL CHECK (length(grey_png) <= 2097152),
  sha256     BLOB    NOT NULL CHECK (length(sha256) = 32),  -- of grey_png; stands in the record
  simulated  INTEGER NOT NULL CHECK (simulated IN (0, 1))
) STRICT;

-- What a room's camera showed when nothing was wrong with it, a minute's mean: held against what it shows after a
-- restart where there is no reference view.
CREATE TABLE last_view (
  room      TEXT    PRIMARY KEY,
  kept_us   INTEGER NOT NULL,                          -- wall time of its newest look
  grey_png  BLOB    NOT NULL CHECK (length(grey_png) <= 2097152),
  sha256    BLOB    NOT NULL CHECK (length(sha256) = 32)
) STRICT;

-- What was fitted to a room by counting the people in a few frames, or by hand. The newest row of a room counts,
-- and none does while the camera is moved. Coordinates are 0..1 of the picture's width and height.
CREATE TABLE room_calibration (
  id                INTEGER PRIMARY KEY,
  room              TEXT    NOT NULL,
  at_us             INTEGER NOT NULL,
  account           TEXT    NOT NULL CHECK (account IN ('technician', 'hr')),
  reference_id      INTEGER REFERENCES reference_view (id),  -- NULL: no view to hold the picture against
  width             INTEGER NOT NULL CHECK (width > 0),      -- of the recording's picture
  height            INTEGER NOT NULL CHECK (height > 0),
  detector          TEXT    NOT NULL,                        -- scores of two detectors are never compared
  cut               REAL,                                    -- NULL: no frame was counted, the default holds
  smallest_head_px  REAL CHECK (smallest_head_px > 0),       -- NULL: too few heads were seen to say
  blind             TEXT    NOT NULL CHECK (json_type(blind) = 'array'),         -- [[[x, y], …], …]
  teacher_zone      TEXT    NOT NULL CHECK (json_type(teacher_zone) = 'array'),  -- [[x, y], …], [] for none
  masks             TEXT    NOT NULL CHECK (json_type(masks) = 'array'),         -- [[x1, y1, x2, y2], …]
  fit               TEXT    NOT NULL CHECK (json_type(fit) = 'object'),          -- as in the record
  simulated         INTEGER NOT NULL CHECK (simulated IN (0, 1))
) STRICT;
CREATE INDEX room_calibration_newest ON room_calibration (room, id);

-- When the recording's picture showed that the camera was tampered with. One row a stretch; until_us is NULL
-- while it lasts, and stays so over a restart.
CREATE TABLE camera_tamper (
  id          INTEGER PRIMARY KEY,
  room        TEXT    NOT NULL,
  kind        TEXT    NOT NULL CHECK (kind IN
              ('covered', 'moved', 'out_of_focus', 'frozen', 'replayed', 'blinded', 'dark')),
  since_us    INTEGER NOT NULL,                        -- of the first key frame that showed it
  noticed_us  INTEGER NOT NULL,
  until_us    INTEGER CHECK (until_us >= since_us),    -- of the first key frame that did not any more
  simulated   INTEGER NOT NULL CHECK (simulated IN (0, 1))
) STRICT;
CREATE INDEX camera_tamper_by_time ON camera_tamper (room, since_us);
CREATE UNIQUE INDEX one_tamper_at_a_time ON camera_tamper (room) WHERE until_us IS NULL;

-- Whether the recording showed every trainee in a class hour (visibility.judged, R6): rows supersede one another, the
-- newest of a class hour is the one that no other supersedes. The device judges; a person may decide what it left
-- uncertain (visibility.decided), and takes that back by a further row. `data` is as in the fact; `basis` tells
-- without reckoning whether anything moved since. A person's reason stands here and not in a record, because people
-- write names into it.
CREATE TABLE visibility_verdict (
  number      INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT    NOT NULL UNIQUE,
  session_id  TEXT    NOT NULL REFERENCES session (id),
  hour        INTEGER NOT NULL CHECK (hour >= 1),
  verdict     TEXT    NOT NULL CHECK (verdict IN ('shown', 'not_shown', 'uncertain')),
  lower       INTEGER,                                 -- of the trainees in the picture, over the stretch that the
  upper       INTEGER,                                 -- verdict rests on; NULL: nothing was counted
  expected    INTEGER,                                 -- trainees checked in then; NULL: nobody knows
  decided_by  TEXT    NOT NULL,                        -- 'device', or the account of a person: 'hr'
  reason      TEXT    NOT NULL CHECK ((decided_by = 'device') = (reason = '')),
  stated_us   INTEGER NOT NULL,
  simulated   INTEGER NOT NULL CHECK (simulated IN (0, 1)),   -- I9
  supersedes  TEXT    UNIQUE REFERENCES visibility_verdict (id),
  because     TEXT    NOT NULL CHECK (json_type(because) = 'array'),
  data        TEXT    NOT NULL CHECK (json_type(data) = 'object'),
  basis       TEXT    NOT NULL CHECK (json_type(basis) = 'object')
) STRICT;
CREATE INDEX visibility_verdict_of ON visibility_verdict (session_id, hour, number);
CREATE UNIQUE INDEX one_first_verdict ON visibility_verdict (session_id, hour) WHERE supersedes IS NULL;
-- The pictures that a verdict rests on: which key frame of the recording, and its copy with the boxes drawn, sealed
-- like a check-in's photo; and those drawn by lot for a person to count, without boxes: they carry the device's bounds.
CREATE TABLE verdict_frame (
  verdict_id  TEXT    NOT NULL REFERENCES visibility_verdict (id),
  run_id      TEXT    NOT NULL,
  sequence    INTEGER NOT NULL,
  pts_ticks   INTEGER NOT NULL,
  photo_id    TEXT    NOT NULL UNIQUE REFERENCES photo (id),
  at_us       INTEGER,                                 -- true time; these three are NULL for a picture with boxes
  lower       INTEGER,                                 -- people outside the teacher's zone at that look, at least and
  upper       INTEGER,                                 -- at most, as the device stated before anybody counted
  PRIMARY KEY (verdict_id, photo_id),
  CHECK ((lower IS NULL) = (upper IS NULL) AND (lower IS NULL) = (at_us IS NULL))
) STRICT, WITHOUT ROWID;
-- What a person counted in such a picture (visibility.people-counted), once, for all pictures of a class hour at once.
CREATE TABLE count_check (
  number      INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT    NOT NULL UNIQUE,
  photo_id    TEXT    NOT NULL UNIQUE REFERENCES verdict_frame (photo_id),
  people      INTEGER CHECK (people BETWEEN 0 AND 1000),   -- NULL: nobody can count them in it
  counted_us  INTEGER NOT NULL,
  data        TEXT    NOT NULL CHECK (json_type(data) = 'object')  -- as in the fact
) STRICT;
CREATE TRIGGER count_check_is_append_only_no_update BEFORE UPDATE ON count_check
BEGIN SELECT RAISE (ABORT, 'what was counted is never changed'); END;
CREATE TRIGGER count_check_is_append_only_no_delete BEFORE DELETE ON count_check
BEGIN SELECT RAISE (ABORT, 'what was counted is never removed'); END;

-- ---------------------------------------------------------------------------------------------------------
-- The clock (I8)
-- ---------------------------------------------------------------------------------------------------------

-- What the keeper saw of the clock: stretches of one boot in which nobody set it, so that wall minus monotonic
-- time is constant (slewing moves both clocks alike). Ids rise in the order in which it was seen, over boots
-- too: the only order there is while no clock is to be trusted.
CREATE TABLE clock_stretch (
  id                  INTEGER PRIMARY KEY AUTOINCREMENT,
  boot_id             TEXT    NOT NULL,
  from_monotonic_ns   INTEGER NOT NULL,                -- 0 for a boot's first stretch
  until_monotonic_ns  INTEGER NOT NULL,                -- the last look so far, at most ten minutes old
  offset_us           INTEGER NOT NULL,                -- wall minus monotonic time
  synchronised_ns     INTEGER,                         -- when a time service was first seen to answer for it
  maximum_error_us    INTEGER,                         -- by the kernel's word at that instant
  rtc_ahead_us        INTEGER,                         -- RTC minus wall clock at the last look; NULL: no RTC
  UNIQUE (boot_id, from_monotonic_ns)
) STRICT;
-- Where stamps of a boot were wrong or unproven and the true time is known since: true time = monotonic time +
-- true_offset_us. The rows of footage and facts keep what they said; a reader may ask for both.
CREATE TABLE clock_correction (
  boot_id             TEXT    NOT NULL,
  from_monotonic_ns   INTEGER NOT NULL,
  until_monotonic_ns  INTEGER NOT NULL,
  true_offset_us      INTEGER NOT NULL,
  add_us              INTEGER,                         -- to the stamps of that time; NULL: they were not seen
  uncertainty_us      INTEGER NOT NULL,
  basis               TEXT    NOT NULL CHECK (basis IN ('synchronised')),
  PRIMARY KEY (boot_id, from_monotonic_ns)
) STRICT, WITHOUT ROWID;
-- A boot that never was synchronised lies between others in the order of the log: when it can have begun.
CREATE TABLE clock_bound (
  boot_id                TEXT PRIMARY KEY,
  began_not_before_us    INTEGER,                      -- NULL: nothing before it was synchronised
  began_not_after_us     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- HR staff compared the clock with a watch (annex 6, item 1; R20).
CREATE TABLE clock_comparison (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  boot_id         TEXT    NOT NULL,
  monotonic_ns    INTEGER NOT NULL,
  wall_us         INTEGER NOT NULL,                    -- the device's
  stated_us       INTEGER NOT NULL,                    -- the watch's
  uncertainty_us  INTEGER NOT NULL,                    -- of reading and typing it
  rtc_ahead_us    INTEGER                              -- RTC minus the device's clock; NULL: no RTC
) STRICT;

-- ---------------------------------------------------------------------------------------------------------
-- Retention and the archive (R8)
-- ---------------------------------------------------------------------------------------------------------

-- A class whose evidence HR wants kept, whatever the years say. Rows stay; the reason stands here and not in a
-- record, because people write names into it.
CREATE TABLE legal_hold (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  class_id        TEXT    NOT NULL REFERENCES class (id),
  reason          TEXT    NOT NULL,
  placed_us       INTEGER NOT NULL,
  released_us     INTEGER,
  release_reason  TEXT,
  CHECK ((released_us IS NULL) = (release_reason IS NULL))
) STRICT;
CREATE UNIQUE INDEX one_hold_per_class ON legal_hold (class_id) WHERE released_us IS NULL;

-- What binds records to the reasons that stay here (agent/store/reasons.py); the first is used. Two where a
-- database was made anew before the older one came back.
CREATE TABLE reason_key (
  key  BLOB PRIMARY KEY CHECK (length(key) = 32)
) STRICT;

-- HR's word that a class has ended, for one that also met in rooms of other nodes: their lessons stand here as
-- planned for ever. It never makes the end earlier than a lesson that this node knows of.
CREATE TABLE training_end (
  class_id   TEXT PRIMARY KEY REFERENCES class (id),
  day        TEXT    NOT NULL,                         -- YYYY-MM-DD, Asia/Shanghai
  stated_us  INTEGER NOT NULL
) STRICT;

-- Footage of no lesson that was announced to go (recording.unscheduled-due): nothing of it goes unannounced.
CREATE TABLE unscheduled_notice (
  run_id        TEXT    NOT NULL,
  sequence      INTEGER NOT NULL,
  announced_us  INTEGER NOT NULL,
  PRIMARY KEY (run_id, sequence)
) STRICT, WITHOUT ROWID;

-- Files whose end is decided and stated (expired_us, fact), and not yet carried out. Written with the decision
-- in one transaction, so that a kill between them and the deletion loses neither.
CREATE TABLE file_to_remove (
  copy        TEXT    NOT NULL,                        -- 'local', 'photos', or the name of a [[copies]] block
  path        TEXT    NOT NULL,                        -- relative to that folder
  decided_us  INTEGER NOT NULL,
  PRIMARY KEY (copy, path)
) STRICT, WITHOUT ROWID;

-- What retention saw of the clock, one row: how long it has been vouched for without a leap. A clock that
-- somebody sets to 2099 must not empty a disk.
CREATE TABLE clock_trust (
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  last_us       INTEGER NOT NULL,
  boot_id       TEXT    NOT NULL,
  monotonic_ns  INTEGER NOT NULL,
  vouched_ns    INTEGER NOT NULL,                      -- machine time under a vouched clock since the last break,
                                                       -- less a share of the time unseen; below 0: owed
  leap_us       INTEGER,                               -- only a comparison by HR staff later than this confirms
                                                       -- a leap of the clock; NULL: it did not leap
  since_us      INTEGER NOT NULL,                      -- first sighting by this database: footage much older than
                                                       -- that outlived another one, whose history is lost; 0
                                                       -- once HR staff have compared the clock since
  timetable_us  INTEGER                                -- from when on this database surely held a timetable; what
                                                       -- was recorded before is nobody's to call "no session"
) STRICT;

-- Disks that footage lies on, by the uuid of their marker. The rows of their segments stay when a disk is
-- taken out and kept elsewhere.
CREATE TABLE volume (
  id             TEXT PRIMARY KEY,
  label          TEXT    NOT NULL DEFAULT '',
  place          TEXT    NOT NULL DEFAULT '',          -- where the disk is kept
  custodian      TEXT    NOT NULL DEFAULT 'institution' CHECK (custodian IN ('institution', 'hr_department')),
  first_seen_us  INTEGER NOT NULL,
  last_seen_us   INTEGER NOT NULL,
  verified_us    INTEGER,                              -- every file on it was read and its hash compared
  damaged        INTEGER,                              -- files of that reading that were missing or differed
  retired_us     INTEGER                               -- lost, broken or destroyed: nothing is on it any more
) STRICT;
-- A reading of a whole disk that is under way, and how far it came.
CREATE TABLE volume_check (
  volume      TEXT PRIMARY KEY REFERENCES volume (id),
  began_us    INTEGER NOT NULL,
  run_id      TEXT    NOT NULL,
  sequence    INTEGER NOT NULL,
  good        INTEGER NOT NULL,
  damaged     INTEGER NOT NULL
) STRICT;

-- The day on which the disk will be full, from when it could be foreseen until it no longer was.
CREATE TABLE storage_shortage (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  foreseen_us  INTEGER NOT NULL,
  full_us      INTEGER NOT NULL,
  ended_us     INTEGER
) STRICT;

-- ---------------------------------------------------------------------------------------------------------
-- HR's configuration and access
-- ---------------------------------------------------------------------------------------------------------

-- What HR staff configured, whole, one row a revision; the highest is in force. Revision 0 is the built-in
-- start and has no row. `message` is the signed JWS as it came (NULL when made on the page); it holds class
-- documents by their hash alone, so that it may be kept for ever and names no one.
CREATE TABLE configuration (
  revision    INTEGER PRIMARY KEY CHECK (revision >= 1),
  document    TEXT    NOT NULL CHECK (json_valid(document)),
  message     BLOB,
  applied_us  INTEGER NOT NULL
) STRICT;
-- Nonces of configuration messages ever seen, so that a replay is refused.
CREATE TABLE configuration_nonce (
  nonce    TEXT PRIMARY KEY,
  seen_us  INTEGER NOT NULL
) STRICT;

-- HR's password as the public key that it yields (Argon2id over the device's salt → Ed25519 seed). The
-- newest row is in force. Nothing here can sign; the password itself is nowhere.
CREATE TABLE hr_credential (
  id             INTEGER PRIMARY KEY,
  salt           BLOB    NOT NULL CHECK (length(salt) = 16),
  memory_kib     INTEGER NOT NULL,
  time_cost      INTEGER NOT NULL,
  parallelism    INTEGER NOT NULL,
  public_key     BLOB    NOT NULL CHECK (length(public_key) = 32),
  set_us         INTEGER NOT NULL
) STRICT;

-- Failed logins, kept over reboots; one row an account and source address, so that an attacker cannot lock
-- the owner out.
CREATE TABLE login_failure (
  account       TEXT    NOT NULL,
  address       TEXT    NOT NULL,
  failures      INTEGER NOT NULL,
  locked_until_us INTEGER NOT NULL,
  PRIMARY KEY (account, address)
) STRICT;
CREATE TABLE web_session (
  token_sha256  BLOB PRIMARY KEY CHECK (length(token_sha256) = 32),
  account       TEXT    NOT NULL,
  created_us    INTEGER NOT NULL,
  last_seen_us  INTEGER NOT NULL
) STRICT;
-- Footage that a logged-in visitor opened, with the reason given; the fact access.evidence-viewed says the same
-- to the record log. Media of these times is served to this visitor until the session ends.
CREATE TABLE evidence_view (
  id            TEXT PRIMARY KEY,
  token_sha256  BLOB    NOT NULL REFERENCES web_session (token_sha256) ON DELETE CASCADE,
  session_id    TEXT REFERENCES session (id),
  start_us      INTEGER NOT NULL,
  end_us        INTEGER NOT NULL CHECK (end_us > start_us),
  reason        TEXT    NOT NULL,
  note          TEXT    NOT NULL,
  opened_us     INTEGER NOT NULL
) STRICT;
CREATE INDEX evidence_view_by_visitor ON evidence_view (token_sha256, start_us);
-- Check-in photos that a visitor opened; the fact access.photo-viewed says the same to the record log. Nobody
-- decides over a photo that he has not seen.
CREATE TABLE photo_view (
  token_sha256  BLOB    NOT NULL REFERENCES web_session (token_sha256) ON DELETE CASCADE,
  photo_id      TEXT    NOT NULL REFERENCES photo (id),
  viewed_us     INTEGER NOT NULL,
  PRIMARY KEY (token_sha256, photo_id)
) STRICT, WITHOUT ROWID;
