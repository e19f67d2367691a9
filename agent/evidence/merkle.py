"""Merkle tree hash of RFC 6962 section 2.1, computed leaf by leaf in memory of O(log n)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


class MerkleTree:
    """Append leaves, ask for the root at any time.

    Holds the roots of the perfect subtrees that cover the leaves so far, largest first, which is all that
    later leaves can change.
    """

    def __init__(self) -> None:
        self.count = 0
        self._subtrees: list[tuple[int, bytes]] = []

    def append(self, leaf: bytes) -> None:
        """Add the next leaf's bytes (hashed with prefix 0x00, so that no node passes for a leaf)."""
        size, node = 1, hashlib.sha256(b"\x00" + leaf).digest()
        while self._subtrees and self._subtrees[-1][0] == size:
            _, left = self._subtrees.pop()
            size, node = size * 2, hash_node(left, node)
        self._subtrees.append((size, node))
        self.count += 1

    def root(self) -> bytes:
        """The tree hash, 32 bytes; of an empty tree SHA-256 of nothing."""
        if not self._subtrees:
            return hashlib.sha256(b"").digest()
        root = self._subtrees[-1][1]
        for _, left in reversed(self._subtrees[:-1]):
            root = hash_node(left, root)
        return root


def hash_node(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: prefix 0x01."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """The tree hash over `leaves` in order."""
    tree = MerkleTree()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()
