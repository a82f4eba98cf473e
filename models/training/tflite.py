"""MediaPipe's face networks as networks of torch, from the files in its wheel, so that OpenVINO can run them.

OpenVINO reads TensorFlow Lite itself, but not the three operations with which the attention mesh looks at eyes and lips
again (Grishchenko et al. 2020, "Attention Mesh", arXiv 2006.10962). They are written here as MediaPipe defines them.
Networks and weights are MediaPipe's (Apache-2.0).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.errors import ModelFileError
from models.face_mesh import IRIS, POINTS

SAME: Final = 0
"""Padding of TensorFlow Lite's schema; 1 is VALID."""


class TfliteNetwork(nn.Module):
    """A network of pictures (b, 3, h, w); its outputs are in the file's order, each (b, …) as the file lays it out."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            ModelFileError: the package ``tflite`` is not installed, or the file holds other operations.
        """
        super().__init__()
        try:
            import tflite
        except ImportError:
            raise ModelFileError("tflite is not installed, which reads such files; pip install tflite") from None
        names = {number: name for name, number in vars(tflite.BuiltinOperator).items() if isinstance(number, int)}
        model = tflite.Model.GetRootAsModel(path.read_bytes(), 0)
        graph = model.Subgraphs(0)
        self._inputs, self._outputs = graph.InputsAsNumpy().tolist(), graph.OutputsAsNumpy().tolist()
        self._shapes = [_shape(graph.Tensors(index)) for index in range(graph.TensorsLength())]
        for index in range(graph.TensorsLength()):
            stored = model.Buffers(graph.Tensors(index).Buffer())
            if stored.DataLength():
                kind = {0: np.float32, 1: np.float16, 2: np.int32}[graph.Tensors(index).Type()]
                values = stored.DataAsNumpy().view(kind).reshape(self._shapes[index])
                values = values.astype(np.float32) if kind is np.float16 else values.copy()
                self.register_buffer(f"t{index}", torch.from_numpy(values))
        self.steps: list[tuple[str, list[int], list[int], dict[str, Any]]] = []
        for index in range(graph.OperatorsLength()):
            operator = graph.Operators(index)
            code = model.OperatorCodes(operator.OpcodeIndex())
            name = names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            name = code.CustomCode().decode() if name == "CUSTOM" else name
            if not hasattr(self, f"_{name.lower()}"):
                raise ModelFileError(f"{path.name}: has the operation {name}; install mediapipe 0.10.21")
            inputs, outputs = operator.InputsAsNumpy().tolist(), operator.OutputsAsNumpy().tolist()
            self.steps.append((name.lower(), inputs, outputs, _options(tflite, name, operator)))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(b, 3, h, w) in the range the file wants -> its outputs. Pictures within are (b, channels, h, w)."""
        values: dict[int, Tensor] = {self._inputs[0]: images}
        for name, inputs, outputs, options in self.steps:
            given = [values[one] if one in values else getattr(self, f"t{one}") for one in inputs if one >= 0]
            values[outputs[0]] = getattr(self, f"_{name}")(given, options | {"shape": self._shapes[outputs[0]]})
        return tuple(_as_laid_out(values[one]) for one in self._outputs)

    @staticmethod
    def _dequantize(given: list[Tensor], options: dict[str, Any]) -> Tensor:
        return given[0]

    _strided_slice = _dequantize  # of the whole: it only names an output

    @staticmethod
    def _conv_2d(given: list[Tensor], options: dict[str, Any]) -> Tensor:
        x, kernel, bias = given
        kernel = kernel.permute(0, 3, 1, 2)
        return _active(functional.conv2d(_padded(x, kernel, options), kernel, bias, options["stride"]), options)

    @staticmethod
    def _depthwise_conv_2d(given: list[Tensor], options: dict[str, Any]) -> Tensor:
        x, kernel, bias = given
        kernel = kernel.permute(3, 0, 1, 2)
        padded = _padded(x, kernel, options)
        return _active(functional.conv2d(padded, kernel, bias, options["stride"], groups=x.shape[1]), options)

    @staticmethod
    def _max_pool_2d(given: list[Tensor], options: dict[str, Any]) -> Tensor:
        return functional.max_pool2d(given[0], options["filter"], options["stride"])

    @staticmethod
    def _prelu(given: list[Tensor], options: dict[str, Any]) -> Tensor:
        return functional.prelu(given[0], given[1].reshape(-1))

    @staticmethod
    def _relu(given: list[Tensor], options: dict[str, Any]) -> Tensor:
        return functional.relu(given[0])

    @staticmethod
    def _add(given: list[Tensor], options: dict[str, Any]) -> Tensor:
        return _active(given[0] + given[1], options)

    @staticmethod
    def _mul(given: list[Tensor], options: dict[str, Any]) -> Tensor:
        return given[0] * given[1]

    @staticmethod
    def _pad(given: list[Tensor], options: dict[str, Any]) -> Tensor:
        _, down, across, channels = given[1].tolist()
        return functional.pad(given[0], (*across, *down, *channels))

    @staticmethod
    def _reshape(given: list[Tensor], options: dict[str, Any]) -> Tensor:
        made = _as_laid_out(given[0]).reshape(-1, *options["shape"][1:])
        return made.permute(0, 3, 1, 2) if made.ndim == 4 else made

    @staticmethod
    def _concatenation(given: list[Tensor], options: dict[str, Any]) -> Tensor:
        return torch.cat(given, dim=1)  # of anchors: (b, n, values)

    @staticmethod
    def _landmarks2transformmatrix(given: list[Tensor], options: dict[str, Any]) -> Tensor:
        """(b, 4, 4) from a crop around some landmarks, turned so that two of them lie level, to the picture."""
        points = given[0][..., :2]  # (b, 468, 2)
        left, right = points[:, options["left_rotation_idx"]], points[:, options["right_rotation_idx"]]
        turn = options["target_rotation_radians"] - torch.atan2(right[:, 1] - left[:, 1], right[:, 0] - left[:, 0])
        cos, sin = torch.cos(turn)[:, None], torch.sin(turn)[:, None]
        x, y = points[:, options["subset_idxs"], 0], points[:, options["subset_idxs"], 1]
        level_x, level_y = cos * x - sin * y, sin * x + cos * y
        low_x, high_x = level_x.amin(1, keepdim=True), level_x.amax(1, keepdim=True)
        low_y, high_y = level_y.amin(1, keepdim=True), level_y.amax(1, keepdim=True)
        middle_x, middle_y = (low_x + high_x) / 2, (low_y + high_y) / 2
        wide, high = options["output_width"], options["output_height"]
        scale_x = options["scale_x"] * (high_x - low_x) / wide
        scale_y = options["scale_y"] * (high_y - low_y) / high
        # back: turned by -turn, around the middle
        xx, xy = cos * scale_x, sin * scale_y
        yx, yy = -sin * scale_x, cos * scale_y
        to_x = cos * middle_x + sin * middle_y - xx * wide / 2 - xy * high / 2
        to_y = -sin * middle_x + cos * middle_y - yx * wide / 2 - yy * high / 2
        zero, one = torch.zeros_like(xx), torch.ones_like(xx)
        rows = [xx, xy, zero, to_x, yx, yy, zero, to_y, zero, zero, one, zero, zero, zero, zero, one]
        return torch.cat(rows, dim=1).reshape(-1, 4, 4)

    @staticmethod
    def _transformtensorbilinear(given: list[Tensor], options: dict[str, Any]) -> Tensor:
        """The crop (b, c, h, w) of a picture's maps; 0 beyond the middles of the outermost cells."""
        x, matrix = given
        high, wide = options["output_height"], options["output_width"]
        down, across = torch.meshgrid(torch.arange(high) + 0.5, torch.arange(wide) + 0.5, indexing="ij")
        place = torch.stack([across.reshape(-1), down.reshape(-1), torch.ones(high * wide)])
        there = matrix[:, :2][:, :, [0, 1, 3]] @ place - 0.5  # (b, 2, cells)
        last = torch.tensor([x.shape[3] - 1.0, x.shape[2] - 1.0])[None, :, None]
        inside = ((there >= 0) & (there <= last)).all(dim=1)
        grid = (2 * there / last - 1).permute(0, 2, 1).reshape(-1, high, wide, 2)
        cut = functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=True)
        return cut * inside.reshape(-1, 1, high, wide)

    @staticmethod
    def _transformlandmarks(given: list[Tensor], options: dict[str, Any]) -> Tensor:
        points, matrix = given
        return points @ matrix[:, :2, :2].transpose(1, 2) + matrix[:, None, :2, 3]


def _shape(tensor: Any) -> list[int]:
    return tensor.ShapeAsNumpy().tolist() if tensor.ShapeLength() else []


def _as_laid_out(value: Tensor) -> Tensor:
    return value.permute(0, 2, 3, 1) if value.ndim == 4 else value


def _options(tflite: Any, name: str, operator: Any) -> dict[str, Any]:
    if name in ("Landmarks2TransformMatrix", "TransformTensorBilinear"):
        from flatbuffers import flexbuffers

        return dict(flexbuffers.Loads(bytes(operator.CustomOptionsAsNumpy())))
    kinds = {"CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions", "MAX_POOL_2D": "Pool2DOptions"}
    if name == "ADD":
        kinds["ADD"] = "AddOptions"
    if name not in kinds or operator.BuiltinOptions() is None:
        return {}
    read = getattr(tflite, kinds[name])()
    table = operator.BuiltinOptions()
    read.Init(table.Bytes, table.Pos)
    options: dict[str, Any] = {"activation": read.FusedActivationFunction()}
    if name != "ADD":
        options |= {"stride": (read.StrideH(), read.StrideW()), "same": read.Padding() == SAME}
    if name == "MAX_POOL_2D":
        options["filter"] = (read.FilterHeight(), read.FilterWidth())
    return options


def _padded(x: Tensor, kernel: Tensor, options: dict[str, Any]) -> Tensor:
    """As TensorFlow's SAME: what is odd goes to the end."""
    if not options["same"]:
        return x
    needed = []
    for side, taps, stride in zip(x.shape[2:], kernel.shape[2:], options["stride"], strict=True):
        total = max((-(-int(side) // stride) - 1) * stride + int(taps) - int(side), 0)
        needed.append((total // 2, total - total // 2))
    (top, bottom), (left, right) = needed
    return functional.pad(x, (left, right, top, bottom)) if top or bottom or left or right else x


def _active(x: Tensor, options: dict[str, Any]) -> Tensor:
    """The activation that is part of an operation: none, ReLU or ReLU6."""
    kind = options.get("activation", 0)
    return x if kind == 0 else functional.relu(x) if kind == 1 else functional.relu6(x)


class FaceFinding(nn.Module):
    """The short-range face detector (Bazarevsky et al. 2019, "BlazeFace", arXiv 1907.05047)."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.network = TfliteNetwork(path)

    def forward(self, images: Tensor) -> Tensor:
        """(b, 3, 128, 128) RGB in 0..1 -> (b, 896, 17): box and six points of each anchor, and its log-odds."""
        return torch.cat(self.network(2 * images - 1), dim=2)


class AttentionMesh(nn.Module):
    """The mesh with its refined eyes and lips put in place, as MediaPipe's graph does it after the network."""

    CONTOUR = 16
    """Landmarks of an eye, the first of its region, whose mean depth is that of its iris."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.network = TfliteNetwork(path)
        # which landmarks a region refines are those that it was cut around, in this order
        regions = [step[3]["subset_idxs"] for step in self.network.steps if step[0] == "landmarks2transformmatrix"]
        lips, self._left, self._right = regions
        source = list(range(POINTS - 2 * IRIS))
        for place, landmark in enumerate([*lips, *self._left, *self._right]):
            source[landmark] = len(source) + place
        refined = len(lips) + len(self._left) + len(self._right)
        first = POINTS - 2 * IRIS + refined
        self._source = [*source, *range(first, first + 2 * IRIS)]

    def forward(self, images: Tensor) -> Tensor:
        """(b, 3, 192, 192) RGB in 0..1 -> (b, 478 · 3 + 1): x, y, z of each landmark in px, and the face's log-odds."""
        mesh, lips, left, right, left_iris, right_iris, there = self.network(images)
        points = mesh.reshape(-1, POINTS - 2 * IRIS, 3)
        flat = [one.reshape(one.shape[0], -1, 2) for one in (lips, left, right, left_iris, right_iris)]
        places = torch.cat([points[..., :2], *flat], dim=1)[:, self._source]
        depth = points[..., 2]
        irises = [depth[:, eye[: self.CONTOUR]].mean(dim=1, keepdim=True) for eye in (self._left, self._right)]
        depth = torch.cat([depth, *(one.expand(-1, IRIS) for one in irises)], dim=1)
        whole = torch.cat([places, depth[..., None]], dim=2)
        return torch.cat([whole.flatten(1), there.reshape(-1, 1)], dim=1)
