-- Which call of a spot check a look answers, and whether in time; deaths of the process that counts afterwards.

ALTER TABLE check_in ADD COLUMN spot_check_id TEXT REFERENCES spot_check (id);
ALTER TABLE check_in ADD COLUMN in_time INTEGER CHECK (in_time IN (0, 1)) CHECK ((spot_check_id IS NULL) = (in_time IS NULL));
CREATE INDEX check_in_by_spot_check ON check_in (spot_check_id) WHERE spot_check_id IS NOT NULL;

-- Looks of before answer the newest call that came before them, by the wall clock, as it was reckoned then: else a
-- missed check would stay open whose trainee the door saw again.
UPDATE check_in SET spot_check_id = m.id,
    in_time = (m.result IS NOT 'missed' AND check_in.at_us <= m.drawn_us + m.minutes * 60000000)
  FROM spot_check m
  WHERE m.session_id = check_in.session_id AND m.person_id = check_in.person_id AND m.drawn_us < check_in.at_us
    AND check_in.outcome IN ('accepted', 'already_checked_in', 'checked_out', 'awaiting_confirmation')
    AND NOT EXISTS (SELECT 1 FROM spot_check n WHERE n.session_id = m.session_id AND n.person_id = m.person_id
      AND n.drawn_us > m.drawn_us AND n.drawn_us < check_in.at_us)
    AND NOT EXISTS (SELECT 1 FROM check_in b WHERE b.session_id = m.session_id AND b.person_id = m.person_id
      AND b.at_us > m.drawn_us AND b.at_us < check_in.at_us
      AND b.outcome IN ('accepted', 'already_checked_in', 'checked_out', 'awaiting_confirmation'));

CREATE TABLE recount_death (
  run_id   TEXT    NOT NULL REFERENCES run (id),
  sequence INTEGER NOT NULL,
  ticks    INTEGER NOT NULL,                           -- as in picture_refused
  deaths   INTEGER NOT NULL CHECK (deaths >= 1),
  blamed   INTEGER NOT NULL CHECK (blamed BETWEEN 0 AND deaths),  -- of those, right after it counted another
  last_us  INTEGER NOT NULL,
  PRIMARY KEY (run_id, sequence, ticks)
) STRICT;
