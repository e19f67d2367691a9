"""What a stream must be like to be recorded and used as evidence; the acceptance check and the
recorder's watch over the camera judge by the same limits."""

from __future__ import annotations

KEY_FRAMES_WANTED_S = 2.5
"""Segments, clips and seeking begin at key frames; two seconds is what the cameras are to be set to."""
KEY_FRAMES_DEGRADED_S = 4.0
"""Beyond it the pre-roll kept in memory, clips and heads counted suffer."""
KEY_FRAMES_BAD_S = 10.0
"""Beyond it a lesson that is opened at once has no picture to begin with, and a torn file loses as much."""
SLOWEST_FPS = 5.0
NARROWEST_PX, WANTED_PX = 1280, 1920
"""Width of the rear camera's picture: less does not show every trainee of a classroom."""
