"""The `codecs` parameter: can a player decode a track? (RFC 6381, ISO/IEC 14496-15 annex E)"""

from __future__ import annotations

from agent import bmff


def codec_name(track: bmff.Track) -> str:
    """`avc1.64001f`, `hvc1.1.6.L93.B0`. bmff.BoxError when the decoder configuration is too short to tell."""
    configuration = track.decoder_configuration
    entry = track.sample_entry.decode("latin-1")
    if entry in ("avc1", "avc3") and len(configuration) >= 4:
        return f"{entry}.{configuration[1:4].hex()}"
    if entry in ("hvc1", "hev1") and len(configuration) >= 13:
        return f"{entry}.{_hevc_profile(configuration)}"
    raise bmff.BoxError(
        f"sample entry {entry!r} with {len(configuration)} bytes of configuration: no codec name"
    )


def _hevc_profile(configuration: bytes) -> str:
    space, tier, profile = configuration[1] >> 6, configuration[1] >> 5 & 1, configuration[1] & 0x1F
    compatibility = int(f"{int.from_bytes(configuration[2:6]):032b}"[::-1], 2)  # the bits in reverse order
    constraints = [f"{byte:X}" for byte in configuration[6:12].rstrip(b"\x00")]
    name = f"{('', 'A', 'B', 'C')[space]}{profile}"
    return ".".join([name, f"{compatibility:X}", f"{'LH'[tier]}{configuration[12]}", *constraints])
