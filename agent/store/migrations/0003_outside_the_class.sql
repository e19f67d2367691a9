-- When somebody of a class was not in it: before joining it late, or between leaving and coming back.

ALTER TABLE enrolment ADD COLUMN away TEXT NOT NULL DEFAULT '[]' CHECK (json_type(away) = 'array');
