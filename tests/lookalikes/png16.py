"""16-bit colour PNG files through FFmpeg, so that the package is not tested against itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def save_wide(path: Path, pixels_HWC: NDArray[np.generic]) -> None:
    """Write shape (H, W, 3) or, with alpha, (H, W, 4), 0 to 65535."""
    import av

    kind = "rgb48be" if pixels_HWC.shape[2] == 3 else "rgba64be"
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels_HWC, np.uint16), format=kind)
    context = av.CodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt = frame.width, frame.height, kind
    context.time_base = 1  # type: ignore[assignment]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(bytes(p) for p in [*context.encode(frame), *context.encode(None)]))


def load_wide(path: Path) -> NDArray[np.uint16]:
    """Read shape (H, W, 3)."""
    import av

    with av.open(str(path)) as file:
        return next(file.decode(video=0)).to_ndarray()
