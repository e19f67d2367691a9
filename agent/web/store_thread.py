"""The database from an event loop: one thread, one connection, work in the order in which it was asked.

A page that waits for the database (another role's long transaction, a slow card) must not stop the others
from being answered, and a connection is not shared between threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from agent.store.database import Store

T = TypeVar("T")


class StoreThread:
    """Runs functions of a `Store` one after the other."""

    def __init__(self, database: Path, name: str) -> None:
        """Nothing is opened before the first `run`: the page answers even when the database does not."""
        self._database = database
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"store-{name}")
        self._store: Store | None = None

    async def run(self, work: Callable[[Store], T]) -> T:
        """The result of `work(store)`; its exceptions too, and StoreError when the database does not open."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._in_thread, work)

    def close(self) -> None:
        """Finish what was asked and close the connection."""
        self._executor.submit(self._close_store).result()
        self._executor.shutdown()

    def _in_thread(self, work: Callable[[Store], T]) -> T:
        if self._store is not None and not self._store.is_current():
            self._close_store()  # somebody put another database in its place
        if self._store is None:
            self._store = Store(self._database)
        return work(self._store)

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
