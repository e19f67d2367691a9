#!/usr/bin/python3
"""A real RTSP camera for tests: GStreamer's server, streaming a file in real time.

Runs under the system's /usr/bin/python3, because the `gi` bindings are Debian's:
    apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-bad

Serves rtsp://127.0.0.1:PORT/camera and prints PORT on the first line. The stream ends with the file.
"""

import argparse
import pathlib

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

FILE = "filesrc name=source ! {demuxer} name=demuxer ! queue"
SOUND = {
    "aac": "demuxer. ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97",
    "alaw": "audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1",
}
DEMUXERS = {".mp4": "qtdemux", ".ts": "tsdemux"}
PIPELINES = {
    "h264": "{file} ! h264parse config-interval={config} ! rtph264pay name=pay0",
    "hevc": "{file} ! h265parse config-interval={config} ! rtph265pay name=pay0",
    "mjpeg": "videotestsrc is-live=true ! jpegenc ! rtpjpegpay name=pay0 pt=26",
}
READER = "reader"


class CameraFactory(GstRtspServer.RTSPMediaFactory):
    """One pipeline for all clients, as in a camera."""

    def __init__(self, arguments):
        super().__init__()
        self.arguments = arguments
        self.set_shared(True)

    def do_create_element(self, url):
        # -1: parameter sets with every key frame; 0: in the session description only.
        config = 0 if self.arguments.no_inband_parameters else -1
        file = FILE.format(demuxer=DEMUXERS.get(pathlib.Path(self.arguments.file).suffix, "qtdemux"))
        pictures = PIPELINES[self.arguments.codec].format(file=file, config=config)
        sound = SOUND.get(self.arguments.sound, "")
        pipeline = Gst.parse_launch(f"( {pictures} {sound} )")
        source = pipeline.get_by_name("source")
        if source is not None:
            source.set_property("location", self.arguments.file)
        if self.arguments.timestamp_offset is not None:
            pipeline.get_by_name("pay0").set_property("timestamp-offset", self.arguments.timestamp_offset)
        return pipeline


def require_login(server, factory, user, password):
    """Basic authentication: without it the camera answers 401."""
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", READER)
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    for right in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role(READER, right, True)
    factory.set_permissions(permissions)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "file", help="MP4 with the video, or an MPEG transport stream whose picture size may change"
    )
    parser.add_argument("--port", default="0", help="0: any free port")
    parser.add_argument("--codec", choices=sorted(PIPELINES), default="h264")
    parser.add_argument("--no-inband-parameters", action="store_true")
    parser.add_argument("--timestamp-offset", type=int, help="first RTP time stamp, 0..4294967295")
    parser.add_argument("--sound", choices=sorted(SOUND), help="aac: the file's own; alaw: a made tone")
    parser.add_argument("--user")
    parser.add_argument("--password")
    arguments = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(arguments.port)
    factory = CameraFactory(arguments)
    if arguments.user:
        require_login(server, factory, arguments.user, arguments.password)
    server.get_mount_points().add_factory("/camera", factory)
    if not server.attach(None):
        raise SystemExit(f"port {arguments.port} is taken")
    print(server.get_bound_port(), flush=True)  # noqa: T201 (the test reads it)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
