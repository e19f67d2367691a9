"""`python -m agent`: the same as the command `classroom-agent`."""

from agent.cli import app

app(prog_name="classroom-agent")
