"""The int8 form of an exported model: weights and activations quantised on real pictures. Used by `export`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simteacher.errors import UserError
from simteacher.evaluate import evaluate
from simteacher.files import atomic_path
from simteacher.progress import say

F32 = npt.NDArray[np.float32]


class _Feed:
    """Hands the calibration pictures out one by one, as ONNX Runtime asks for them."""

    def __init__(self, pictures: list[F32]) -> None:
        self.rest = iter(pictures)

    def get_next(self) -> dict[str, Any] | None:
        picture = next(self.rest, None)
        return None if picture is None else {"image": picture[None]}


def quantise(source: Path, target: Path, pictures: list[F32], data: str | Path | None, split: str | None) -> str:
    """Quantise an exported model and say what it costs: mIoU where ``data`` has labels, else the pixels that change.

    Args:
        source: The float model, with its metadata.
        target: File to write.
        pictures: Calibration pictures, (3, H, W) in [0, 1].
        data: Data set to measure on, or None.
        split: Of it.

    Returns:
        The cost in words.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    CalibrationDataReader.register(_Feed)
    with tempfile.TemporaryDirectory() as place:
        prepared, written = Path(place) / "prepared.onnx", Path(place) / "int8.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(written),
            _Feed(pictures),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=[
                "Conv",
                "MatMul",
                "Gemm",
            ],  # quantised Add fails at other sizes than the calibration's
        )
        graph = onnx.load(str(written))
        if not graph.metadata_props:
            graph.metadata_props.extend(onnx.load(str(source)).metadata_props)
            onnx.save(graph, str(written))
        cost = _cost(source, written, pictures, data, split)
        with atomic_path(target) as part:
            shutil.copyfile(written, part)
    size = f"{source.stat().st_size / 1e6:.1f} -> {target.stat().st_size / 1e6:.1f} MB"
    say(f"{target}: int8, {size}; {cost}")
    return cost


def _cost(source: Path, target: Path, pictures: list[F32], data: str | Path | None, split: str | None) -> str:
    if data is not None:
        try:
            before, after = (evaluate(path, data, split)["miou"] for path in (source, target))
        except UserError:
            pass
        else:
            if before is not None and after is not None:
                return f"mIoU {100 * before:.1f} -> {100 * after:.1f} on {data}"
    import onnxruntime

    sessions = [onnxruntime.InferenceSession(str(p), providers=["CPUExecutionProvider"]) for p in (source, target)]
    same = []
    for picture in [*pictures, pictures[0][:, 5:-10, 9:-4]]:  # and one of another size
        first, second = (s.run(None, {"image": picture[None]})[0].argmax(1) for s in sessions)
        same.append(float((first == second).mean()))
    what = "for its cost in mIoU name labelled photographs: --data, --split"
    return f"{np.mean(same):.1%} of the pixels keep their class ({what})"
