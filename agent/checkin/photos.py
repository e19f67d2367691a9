"""Evidence photos: the face that an answer was given to, sealed under its person's evidence key.

Only the head and shoulders, small: enough for a person to judge an answer by, not more. The file is
synced before the row that names it commits (as I2 for footage), and the row and the record name the
hash of the sealed bytes, so that a photo can be destroyed and the evidence still verifies (I7).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.board import sync_folder, write_atomically
from agent.log import get_logger
from agent.store.database import Store
from agent.store.vault import Vault, VaultError

if TYPE_CHECKING:
    from models.faces import DetectedFace
    from models.images import BGRImage

# The page keeps and opens photos too and shall not hold OpenCV (30 MiB) for it: imported where it is used.

MAX_SIDE_PX = 480
JPEG_QUALITY = 88

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SealedPhoto:
    """A photo as its row names it."""

    id: str
    sha256: bytes
    """Of the sealed bytes, 32 bytes."""


def portrait(image: BGRImage, face: DetectedFace) -> bytes:
    """JPEG of the face with half its width around it (a whole one below), at most MAX_SIDE_PX long."""
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    box, margin = face.box, face.box.width // 2
    top, bottom = max(0, box.top - margin), min(height, box.bottom + 2 * margin)
    left, right = max(0, box.left - margin), min(width, box.right + margin)
    crop = np.ascontiguousarray(image[top:bottom, left:right])
    scale = MAX_SIDE_PX / max(crop.shape[:2])
    if scale < 1:
        crop = np.asarray(cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return encode_jpeg(crop)


def encode_jpeg(image: BGRImage) -> bytes:
    """`image` as JPEG; ValueError when it cannot be encoded (an empty picture)."""
    import cv2

    encoded, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not encoded:
        raise ValueError(f"a picture of shape {image.shape} cannot be encoded as JPEG")
    return jpeg.tobytes()


class PhotoAlbum:
    """The sealed files in `state/photos/`."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        self._folder = folder
        self._vault = vault

    @contextmanager
    def kept(self, store: Store, subject_id: str, jpeg: bytes, taken_us: int) -> Iterator[SealedPhoto]:
        """Seal `jpeg` for `subject_id`, sync the file and insert its row, inside the caller's transaction.

        The rest of the transaction belongs into the `with` block: when it fails, the file goes too.
        OSError when the disk refuses, VaultError when the key cannot be used.
        """
        self._vault.create_person_key(store, subject_id, "evidence")
        sealed = self._vault.seal(store, subject_id, "evidence", jpeg)
        photo = SealedPhoto(str(uuid.uuid4()), hashlib.sha256(sealed).digest())
        path = self.path(photo.id)
        try:
            write_atomically(path, sealed, durable=True, mode=0o600)
            store.insert(
                "photo",
                {"id": photo.id, "subject_id": subject_id, "sha256": photo.sha256, "taken_us": taken_us},
            )
            yield photo
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def opened(self, store: Store, photo_id: str) -> bytes:
        """JPEG of a photo. VaultError when its file or key is gone, or it is not what was sealed."""
        row = store.row("SELECT subject_id, sha256 FROM photo WHERE id = ?", (photo_id,))
        try:
            sealed = self.path(photo_id).read_bytes()
        except OSError as error:
            raise VaultError(f"photo {photo_id} cannot be read: {error.strerror}") from error
        if row is None or hashlib.sha256(sealed).digest() != row["sha256"]:
            raise VaultError(f"photo {photo_id} is not the one that was sealed")
        return self._vault.open(store, row["subject_id"], "evidence", sealed)

    def path(self, photo_id: str) -> Path:
        """File of a photo; ValueError unless `photo_id` is a UUID (I12)."""
        return self._folder / f"{uuid.UUID(photo_id)}.sealed"

    def sweep(self, store: Store) -> int:
        """Remove files that never got their name (the process was killed while writing), and count the photos
        that no row names: the number returned.

        These stay as they are. Most often a kill fell between file and commit, and then at most a handful
        lie there; but after a damaged database was moved away they are all the evidence there is (R8), and
        the two cannot be told apart. Whoever puts that database back finds them in their place.

        Under the write lock, because another process may be between file and row.
        """
        with store.transaction():
            unfinished = list(self._folder.glob(".*.sealed.*"))
            for path in unfinished:
                path.unlink()
            if unfinished:
                sync_folder(self._folder)
            known = {row["id"] for row in store.rows("SELECT id FROM photo")}
            unrecorded = sum(path.stem not in known for path in self._folder.glob("*.sealed"))
        if unfinished or unrecorded:
            log.warning("photos.unrecorded", kept=unrecorded, unfinished_removed=len(unfinished))
        return unrecorded
