"""The installation check: does this node see, record, keep, sign and report, before a class depends on it."""
