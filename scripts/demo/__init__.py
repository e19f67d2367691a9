"""`make demo`: the whole path on sample media, as its user would run it."""
