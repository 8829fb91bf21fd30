"""Writing videos, through the optional package `av`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simteacher.errors import UserError

U8 = npt.NDArray[np.uint8]

_CODECS = ("libx264", "libopenh264", "mpeg4")  # the first that this build of FFmpeg has
_WEBM = ("libvpx-vp9", "libvpx")  # that container takes no others


def package(path: Path) -> Any:
    """The package `av`, or an error that says how to get it."""
    try:
        import av
    except ImportError:
        raise UserError("videos need the package 'av'", path, "pip install 'simteacher[video]'") from None
    return av


class VideoWriter:
    """Encodes frames as H.264 (MPEG-4 where FFmpeg lacks it) at their own times or a steady rate."""

    def __init__(self, path: Path, size: tuple[int, int], rate: Any) -> None:
        self.av = package(path)
        self.size = (max(size[0] // 2 * 2, 2), max(size[1] // 2 * 2, 2))  # 4:2:0 needs even sides
        wanted = _WEBM if path.suffix.lower() == ".webm" else _CODECS
        codec = next((c for c in wanted if c in self.av.codecs_available), None)
        if codec is None:
            raise UserError("this build of 'av' cannot write such videos", path, "write an .mp4")
        self.container = self.av.open(str(path), "w")
        self.stream = self.container.add_stream(codec, rate=rate)
        self.stream.width, self.stream.height = self.size
        self.stream.pix_fmt = "yuv420p"
        self.begun, self.fine = False, codec == "libx264"  # MPEG-4 has no fine times
        if codec == "libx264":
            self.stream.options = {"crf": "20", "preset": "veryfast"}

    def add(self, image_HWC: U8, pts: int | None = None, time_base: Any = None) -> None:
        """Encode one RGB frame (H, W, 3), shown at ``pts`` times ``time_base`` seconds or after the one before."""
        cut = np.ascontiguousarray(image_HWC[: self.size[1], : self.size[0]])
        if cut.shape[:2] != self.size[::-1]:  # one pixel high or wide
            cut = np.pad(cut, [(0, self.size[1] - cut.shape[0]), (0, self.size[0] - cut.shape[1]), (0, 0)], "edge")
        frame = self.av.VideoFrame.from_ndarray(cut, format="rgb24")
        if pts is not None:
            if not self.begun and self.fine:  # or times would be rounded to the steady rate
                self.stream.codec_context.time_base = time_base
            frame.pts, frame.time_base = pts, time_base
        self.begun = True
        self.container.mux(self.stream.encode(frame))

    def close(self) -> None:
        """Write what the encoder still holds."""
        self.container.mux(self.stream.encode())
        self.container.close()
