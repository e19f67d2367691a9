"""The recorder's process. Depends on its camera, its disk and its clock, and on nothing else (I11): no
decoder, no network library, no model is loaded here, and the database is the index thread's affair."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Literal

from agent.locks import AlreadyRunningError
from agent.recording import status
from agent.recording.camera_health import CameraHealth
from agent.recording.feed import CameraFeed
from agent.recording.header import Origin
from agent.recording.idle_frame import IdleFrame
from agent.recording.index import IndexWriter
from agent.recording.index_thread import Index
from agent.recording.recorder import Recorder
from agent.recording.run import RunOptions
from agent.recording.sound_feed import SoundFeed
from agent.recording.stall import StallWatch
from agent.recording.storage import RecorderVolume
from agent.recording.sweep import sweep
from agent.role import RoleContext
from drivers.cameras import open_camera
from drivers.cameras.base import Camera, Packet

CAMERA: Literal["rear"] = "rear"

_LONGEST_WAIT_S = 0.5
"""Without an event: how soon the plan, the disk and a request to stop are looked at."""
_STATUS_INTERVAL_NS = 1_000_000_000
_INDEX_STOP_S = 10.0


def run(context: RoleContext) -> None:
    """Record until `context.stop` is set. SystemExit when another recorder holds the video folder, and when
    the thread that reads the camera is gone."""
    reached = context.settings.cameras[CAMERA]
    camera = open_camera(CAMERA, reached.driver, **reached.model_dump(exclude={"driver"}))
    recording = context.settings.recording
    sound = SoundFeed(camera, recording.silence_seconds)
    recorder, index = build(context, camera, sound)
    # A frame is of no use before its fragment is whole: the camera's thread wakes this one for as much.
    feed = CameraFeed(camera, recording.silence_seconds, together_seconds=recording.fragment_seconds)
    try:
        recorder.step(None, context.clock.now())  # takes the volume before the camera is touched
        feed.start()
        index.start()
        StallWatch(context).start()
        health = CameraHealth(camera.name, simulated=camera.simulated)
        _record(context, recorder, index, feed, health, sound)
        sound.close()
        feed.close()
        recorder.stop(context.clock.now())
        context.report(*status.role_state(recorder))
        index.stop(_INDEX_STOP_S)
    except AlreadyRunningError as error:
        sys.exit(str(error))


def build(context: RoleContext, camera: Camera, sound: SoundFeed | None = None) -> tuple[Recorder, Index]:
    """The state machine and the index thread of one camera, wired to this installation's folders."""
    settings, paths = context.settings, context.paths
    origin = Origin(
        institution=settings.node.institution,
        room=settings.node.room,
        node=settings.node.node,
        camera=camera.name,
        driver=camera.driver,
        simulated=camera.simulated,
    )
    options = RunOptions(
        video=paths.video,
        origin=origin,
        segment_seconds=settings.recording.segment_seconds,
        fragment_seconds=settings.recording.fragment_seconds,
        written_by=f"classroom-agent {version('classroom-agent')}",
    )

    def take_in(writer: IndexWriter) -> Iterator[None]:
        return sweep(paths.video, writer, lambda run, n: recorder.is_taken(run, n) or index.awaits(run, n))

    index = Index(paths.database, context.clock, settings.node.room, take_in)
    recorder = Recorder(
        options, settings.recording, paths.recording_plan, volume(context), index, sound=sound
    )
    return recorder, index


def volume(context: RoleContext) -> RecorderVolume:
    """The configured video folder; with `require_volume_marker` it is believed only with its marker."""
    storage = context.settings.storage
    return RecorderVolume(
        storage.video,
        minimum_free_mib=storage.minimum_free_mib,
        require_marker=storage.require_volume_marker,
    )


def _record(
    context: RoleContext,
    recorder: Recorder,
    index: Index,
    feed: CameraFeed,
    health: CameraHealth,
    sound: SoundFeed,
) -> None:
    meter = status.Meter()
    idle = IdleFrame(
        context.paths.idle_key_frame, simulated=context.settings.cameras[CAMERA].driver == "file"
    )
    next_status_ns = 0
    while not context.stop.is_set():
        events = feed.take(_LONGEST_WAIT_S)
        now = context.clock.now()
        if not events:
            recorder.step(None, now)
        for event in events:
            if isinstance(event, Packet):
                meter.add(event)
            health.take(event)
            recorder.step(event, now)
        idle.see(events, recorder.state, now)
        if now.monotonic_ns >= next_status_ns:
            next_status_ns = now.monotonic_ns + _STATUS_INTERVAL_NS
            dead = status.dead_thread(index, feed)
            state = dead or status.role_state(recorder)
            detail = status.detail(recorder, index, feed, meter)
            context.report(*state, **detail, camera=health.as_detail(), sound=status.sound(recorder, sound))
            for statement in health.statements():
                index.submit(statement)
            if not feed.is_alive:
                sys.exit(f"{state[1]} / {state[2]}")  # a new process has a new thread; what is on disk stays
