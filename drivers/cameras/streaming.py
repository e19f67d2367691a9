"""What all drivers share: a reading thread per open stream, deadlines, newest-first pictures, closing.

A driver derived from `StreamingCamera` says only how it reads its device (`_read`, and `_read_pictures`
where there is a cheaper way to pictures than decoding the packets).
"""

from __future__ import annotations

import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from drivers.cameras.base import CameraError, Frame, Packet, StreamInfo
from drivers.cameras.feed import Feed, SilenceError
from drivers.cameras.packet_feed import PacketFeed
from drivers.cameras.pictures import DecodingSink, Picture

T = TypeVar("T")

QUEUED_PACKETS = 300
"""About ten seconds of video may wait for a slow disk before the camera itself is made to wait."""

_JOIN_SECONDS = 1.0


class PacketSink(Protocol):
    """Where `_read` puts what it reads: the recorder's queue, or a decoder."""

    @property
    def burst_seconds(self) -> float:
        """How long packets may gather before they are read; 0: each is wanted as it comes."""

    def begin(self, stream: StreamInfo) -> None:
        """Called before the first packet, and again before a packet with which another stream begins (the
        camera changed its picture size or profile without breaking off)."""

    def put(self, packet: Packet) -> bool:
        """Hand a packet on, waiting while there is no room; False when the stream is no longer wanted."""

    def fail(self, error: CameraError) -> None:
        """End the stream from a thread that cannot raise to its reader (a camera's callback)."""

    def offer(self, packet: Packet) -> bool:
        """As `put`, never waiting: False also when there is no room."""

    @property
    def closed(self) -> bool: ...

    def wait_closed(self, seconds: float) -> bool: ...

    def on_close(self, release: Callable[[], None]) -> None: ...


class StreamingCamera(ABC):
    """Base of the drivers; see `drivers.cameras.base.Camera` for the contract that it keeps."""

    driver: str
    opening_seconds: float = 15.0
    """From the start of an iterator to its first item, the wait for a key frame included."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.simulated = False
        self.is_at_rest: bool | None = None
        self._stream: StreamInfo | None = None
        self._feeds: set[Feed[Any]] = set()
        self._hung: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._is_closed = False

    @property
    @abstractmethod
    def where(self) -> str:
        """Camera and address for messages, without credentials: "rear (rtsp://10.0.0.8/live)"."""

    @abstractmethod
    def _read(self, sink: PacketSink, silence_timeout: float) -> None:
        """Open the device, feed `sink` until it is closed, release the device. Runs in a thread of its own.

        CameraError when the device cannot be opened or ends. What it may hang in must end by itself about
        `silence_timeout` seconds after the device went silent, or by a release given to `sink.on_close`.
        """

    def _read_pictures(self, slot: Feed[Picture], silence_timeout: float, interval: float) -> None:
        """As `_read`, for pictures; of which one in `interval` seconds is wanted."""
        self._read(DecodingSink(slot, interval, lambda: self.is_at_rest), silence_timeout)

    @property
    def stream(self) -> StreamInfo:
        """Parameters of the stream that `packets` is yielding; CameraError before the first packet."""
        if self._stream is None:
            raise CameraError(f"{self.where}: 还没有收到画面 / no packet has arrived yet")
        return self._stream

    def packets(self, silence_timeout: float = 5.0) -> Iterator[Packet]:
        """Encoded packets from the first key frame on; see `Camera.packets`. Ends at once when closed."""
        for batch in self.batches(silence_timeout):
            yield from batch

    def batches(
        self, silence_timeout: float = 5.0, together_seconds: float = 0.0
    ) -> Iterator[Sequence[Packet]]:
        """The same packets, several at once; see `Camera.batches`."""
        feed = PacketFeed(QUEUED_PACKETS, together_seconds)
        read = lambda: self._read(feed, silence_timeout)  # noqa: E731
        for items in self._items(feed, read, feed.take_together, silence_timeout):
            batch: list[Packet] = []
            for item in items:
                if isinstance(item, Packet):
                    batch.append(item)
                    continue
                if batch:
                    yield batch
                    batch = []
                self._stream = item
            if batch:
                yield batch

    def frames(self, per_second: float, silence_timeout: float = 5.0) -> Iterator[Frame]:
        """Newest pictures at up to `per_second` (0.1..30); see `Camera.frames`."""
        if not 0.1 <= per_second <= 30:
            raise CameraError(
                f"{self.where}: per_second = {per_second:g}: 应在 0.1 到 30 之间 / "
                "expected 0.1..30 pictures a second"
            )
        self.is_at_rest = None
        slot: Feed[Picture] = Feed(1)
        interval = 1 / per_second
        due = time.monotonic()
        read = lambda: self._read_pictures(slot, silence_timeout, interval)  # noqa: E731
        pictures = self._items(slot, read, slot.take, silence_timeout)
        for picture in pictures:
            if time.monotonic_ns() - picture.arrived_ns > silence_timeout * 1e9:
                continue  # the camera fell silent while the consumer was busy: no old picture is served
            yield Frame(picture.number, picture.arrived_ns, picture.to_bgr, picture.to_grey)
            due = max(due + interval, time.monotonic())
            slot.wait_closed(due - time.monotonic())

    def _items(
        self,
        feed: Feed[Any],
        read: Callable[[], None],
        take: Callable[[float], T | None],
        silence_timeout: float,
    ) -> Iterator[T]:
        self._check_nothing_hangs()
        if not self._register(feed):
            return
        reader = threading.Thread(
            target=self._run_reader, args=(read, feed), name=f"camera-{self.name}", daemon=True
        )
        reader.start()
        patience = self.opening_seconds
        try:
            while (item := self._next(take, patience)) is not None:
                patience = silence_timeout
                yield item
        finally:
            self._unregister(feed)
            feed.close()
            # A reader hung in a dead device ends by itself soon after; nobody waits for it here.
            reader.join(_JOIN_SECONDS)
            if reader.is_alive():
                with self._lock:
                    self._hung.append(reader)

    def _check_nothing_hangs(self) -> None:
        """CameraError while an earlier reader hangs in the device: each attempt would add another thread
        (and process) that hangs beside it, until the machine has no more of them."""
        with self._lock:
            self._hung = [reader for reader in self._hung if reader.is_alive()]
            if not self._hung:
                return
        raise CameraError(
            f"{self.where}: 摄像头驱动没有响应，仍在等它放手；一直如此请断电重启 / "
            "the camera's driver does not answer and still holds the last attempt; if this lasts, switch the "
            "node off and on"
        )

    def _run_reader(self, read: Callable[[], None], feed: Feed[Any]) -> None:
        try:
            read()
            ended = CameraError(f"{self.where}: 摄像头的数据流结束了 / the camera's stream ended")
        except CameraError as error:
            ended = error
        except Exception as error:  # noqa: BLE001 (thread boundary: the consumer is told in place of this thread)
            ended = self._unexpected(error)
        feed.fail(ended)

    def _unexpected(self, error: Exception) -> CameraError:
        # The error itself does not travel along: a library's error may name an address with its password.
        place = traceback.extract_tb(error.__traceback__)[-1]
        return CameraError(
            f"{self.where}: 读取摄像头时出现意外错误 / unexpected fault while reading the camera: "
            f"{type(error).__name__} in {place.filename}:{place.lineno}: {self._without_secrets(str(error))}"
        )

    def _without_secrets(self, text: str) -> str:
        """`text` fit for a log."""
        return text

    def _next(self, take: Callable[[float], T | None], patience: float) -> T | None:
        try:
            return take(patience)
        except SilenceError:
            silent = CameraError(
                f"{self.where}: {patience:g} 秒没有画面，请检查电源和连线 / no picture for {patience:g} s; "
                "check the camera's power and cable"
            )
        raise silent

    def _register(self, feed: Feed[Any]) -> bool:
        with self._lock:
            if not self._is_closed:
                self._feeds.add(feed)
            return not self._is_closed

    def _unregister(self, feed: Feed[Any]) -> None:
        with self._lock:
            self._feeds.discard(feed)

    def close(self) -> None:
        """End both iterators promptly, for good: a closed camera yields nothing more. Idempotent."""
        with self._lock:
            self._is_closed = True
            feeds = list(self._feeds)
        for feed in feeds:
            feed.close()
