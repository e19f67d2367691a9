#!/usr/bin/python3
"""A real RTSP camera for tests: GStreamer's server, streaming a file in real time.

Runs under the system's /usr/bin/python3, because the `gi` bindings are Debian's:
    apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-bad

Serves rtsp://127.0.0.1:PORT/camera and prints PORT on the first line. The stream begins with the first client
(`--running`: at once) and ends with the file.
"""

import argparse
import pathlib
import re
import socket
import threading

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
UPSTREAM = Gst.PadProbeType.EVENT_UPSTREAM | Gst.PadProbeType.QUERY_UPSTREAM


def refuse_seeking(_pad, info):
    """A camera cannot go back in time. The server would: at the PLAY of a further client it seeks what all of
    them share to its beginning, and the first pictures come again."""
    if info.type & Gst.PadProbeType.EVENT_UPSTREAM:
        is_seek = info.get_event().type == Gst.EventType.SEEK
        return Gst.PadProbeReturn.DROP if is_seek else Gst.PadProbeReturn.OK
    # A query that is answered as it came says "not seekable".
    is_asked = info.get_query().type == Gst.QueryType.SEEKING
    return Gst.PadProbeReturn.HANDLED if is_asked else Gst.PadProbeReturn.OK


class CameraFactory(GstRtspServer.RTSPMediaFactory):
    """One pipeline for all clients, as in a camera."""

    def __init__(self, arguments):
        super().__init__()
        self.arguments = arguments
        self.set_shared(True)

    def do_gen_key(self, url):
        """The same for all, also for those whose address has another port because a wire is in between."""
        return "camera"

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
        for name in ("pay0", "pay1"):
            if (payloader := pipeline.get_by_name(name)) is not None:
                payloader.get_static_pad("src").add_probe(UPSTREAM, refuse_seeking)
        if self.arguments.timestamp_offset is not None:
            pipeline.get_by_name("pay0").set_property("timestamp-offset", self.arguments.timestamp_offset)
        return pipeline


class Onlooker(threading.Thread):
    """A client that takes everything and looks at nothing. With one from the start the film runs on whoever
    comes and goes, as a camera's pictures do; else the server begins it with its first client, and holds that
    one's first frames up until it has its pipeline together."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self._url = f"rtsp://127.0.0.1:{port}/camera"
        self._stream = socket.create_connection(("127.0.0.1", port)).makefile("rwb")
        self._asked = 0
        self.is_playing = threading.Event()

    def run(self):
        described = self._ask("DESCRIBE", self._url, "Accept: application/sdp")
        streams = re.findall(r"^a=control:(stream=\d+)", described, re.MULTILINE)
        session = ""
        for number, stream in enumerate(streams):
            transport = f"Transport: RTP/AVP/TCP;unicast;interleaved={2 * number}-{2 * number + 1}"
            answer = self._ask("SETUP", f"{self._url}/{stream}", transport, *([session] if number else []))
            session = re.search(r"^Session: [^;\r\n]+", answer, re.MULTILINE)[0]
        self._ask("PLAY", self._url, session)
        self.is_playing.set()
        while self._stream.read1(1 << 16):
            pass

    def _ask(self, method, url, *headers):
        self._asked += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self._asked}", *headers, "", ""]
        self._stream.write("\r\n".join(lines).encode())
        self._stream.flush()
        answer = self._line()
        length = 0
        while not answer.endswith("\n\r\n"):
            line = self._stream.readline().decode()
            length = int(line.split(":")[1]) if line.lower().startswith("content-length:") else length
            answer += line
        if " 200 " not in answer:
            raise SystemExit(f"{method}: {answer}")
        return answer + self._stream.read(length).decode()

    def _line(self):
        """The next line of text, whatever packets come before it."""
        while (first := self._stream.read(1)) == b"$":
            header = self._stream.read(3)
            self._stream.read(int.from_bytes(header[1:], "big"))
        return (first + self._stream.readline()).decode()


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
    parser.add_argument("--running", action="store_true", help="the film runs whether or not anybody looks")
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
    loop = GLib.MainLoop()
    if arguments.running:
        threading.Thread(target=announce_running, args=(server.get_bound_port(),), daemon=True).start()
    else:
        print(server.get_bound_port(), flush=True)  # noqa: T201 (the test reads it)
    loop.run()


def announce_running(port):
    onlooker = Onlooker(port)
    onlooker.start()
    onlooker.is_playing.wait()
    print(port, flush=True)  # noqa: T201 (the test reads it)


if __name__ == "__main__":
    main()
