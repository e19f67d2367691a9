"""`python -m provincial` is `classroom-receiver`."""

from provincial.cli import app

app(prog_name="classroom-receiver")
