"""A stream compressed with gzip, of parts that are compressed once for all viewers.

Each part is compressed on its own and ends at a full byte, so that parts can follow each other in any order. A browser
reads every part when it arrives.
"""

import functools
import zlib

HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Of a gzip file without a name and a time."""

LEVEL = 5


class GzipStream:
    """The stream of one viewer: `HEADER`, parts, `end()`."""

    def __init__(self) -> None:
        self._checksum = 0
        self._size = 0

    def part(self, data: bytes) -> bytes:
        """Return *data* compressed."""
        self._checksum = zlib.crc32(data, self._checksum)
        self._size += len(data)
        return _compressed(data)

    def end(self) -> bytes:
        """Return the end of the stream, by which a browser knows that it is whole."""
        return b"\x03\x00" + self._checksum.to_bytes(4, "little") + (self._size & 0xFFFFFFFF).to_bytes(4, "little")


@functools.lru_cache(maxsize=48)
def _compressed(data: bytes) -> bytes:
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush(zlib.Z_FULL_FLUSH)
