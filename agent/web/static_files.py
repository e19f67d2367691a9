"""The page's own files by address. The table is made from the folder once; a request only looks up."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "static"
STATIC_FILES = {
    f"/static/{file.name}": file
    for file in sorted(FOLDER.iterdir())
    if file.suffix in (".css", ".js", ".svg")
}
