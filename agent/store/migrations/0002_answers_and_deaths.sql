-- Which call of a spot check a look answers, and whether in time; deaths of the process that counts afterwards.

ALTER TABLE check_in ADD COLUMN spot_check_id TEXT REFERENCES spot_check (id);
ALTER TABLE check_in ADD COLUMN in_time INTEGER CHECK (in_time IN (0, 1)) CHECK ((spot_check_id IS NULL) = (in_time IS NULL));
CREATE INDEX check_in_by_spot_check ON check_in (spot_check_id) WHERE spot_check_id IS NOT NULL;

CREATE TABLE recount_death (
  run_id   TEXT    NOT NULL REFERENCES run (id),
  sequence INTEGER NOT NULL,
  ticks    INTEGER NOT NULL,                           -- as in picture_refused
  deaths   INTEGER NOT NULL CHECK (deaths >= 1),
  blamed   INTEGER NOT NULL CHECK (blamed BETWEEN 0 AND deaths),  -- of those, right after it counted another
  last_us  INTEGER NOT NULL,
  PRIMARY KEY (run_id, sequence, ticks)
) STRICT;
