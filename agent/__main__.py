"""`python -m agent`: the same as the command `classroom-agent`."""

from agent.cli import run

run()
