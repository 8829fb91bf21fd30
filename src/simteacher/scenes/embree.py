"""Rays against triangles with Intel Embree, as embreex brings it.

embreex copies vertex by vertex through Python objects, which takes longer than casting the rays. Its wheels carry the
whole Embree library, whose C interface shares arrays: `SharedCaster` calls that, 16 rays at a time. Where the library
file is not found, `CopyingCaster` uses embreex's own classes; both give the same hits.
"""

from __future__ import annotations

import ctypes as c
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simteacher.scenes.mesh import F32, I32

# rtcore_common.h, rtcore_buffer.h, rtcore_scene.h of Embree 4
_TRIANGLES, _INDEX, _VERTEX, _UINT3, _FLOAT3, _ROBUST = 0, 0, 1, 0x5003, 0x9003, 4
_WIDE = 16
_PART = 1 << 13  # rays cast in one go
_RAY_ROWS, _HIT_ROWS = 12, 9  # org 3, tnear, dir 3, time, tfar, mask, id, flags | normal 3, u, v, prim, geom, inst 2
_NONE = 0xFFFFFFFF


class _Arguments(c.Structure):
    """RTCIntersectArguments (and RTCOccludedArguments) of rtcore_common.h."""

    _fields_ = (
        ("flags", c.c_int),
        ("feature_mask", c.c_uint),
        ("context", c.c_void_p),
        ("filter", c.c_void_p),
        ("intersect", c.c_void_p),
        ("reserved", c.c_float * 4),
    )


# Rays that start together or run in parallel are walked through the tree in one go, which halves their cost
_COHERENT = _Arguments(flags=1 << 16, feature_mask=_NONE)


@lru_cache(maxsize=1)
def library() -> Any:
    """Embree's C interface and a single-threaded device, or None where the wheel keeps the library elsewhere."""
    import embreex.rtcore_scene

    folder = Path(embreex.__file__).parent
    places = (folder.parent / "embreex.libs", folder / ".dylibs", folder)
    found = [p for place in places for p in sorted(place.glob("*embree4*")) if p.suffix != ".pyd"]
    try:
        # PyDLL keeps the interpreter's lock: letting it go costs a third of a call, and there are 30,000 calls a frame
        lib: Any = c.PyDLL(str(found[0]))
        p, size = c.c_void_p, c.c_size_t
        for name, result, *arguments in (
            ("rtcNewDevice", p, c.c_char_p),
            ("rtcGetDeviceError", c.c_int, p),
            ("rtcNewScene", p, p),
            ("rtcSetSceneFlags", None, p, c.c_int),
            ("rtcNewGeometry", p, p, c.c_int),
            ("rtcSetSharedGeometryBuffer", None, p, c.c_int, c.c_uint, c.c_int, p, size, size, size),
            ("rtcCommitGeometry", None, p),
            ("rtcAttachGeometry", c.c_uint, p, p),
            ("rtcReleaseGeometry", None, p),
            ("rtcCommitScene", None, p),
            ("rtcReleaseScene", None, p),
            ("rtcIntersect16", None, p, p, p, p),
            ("rtcOccluded16", None, p, p, p, p),
        ):
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
        lib.device = lib.rtcNewDevice(b"threads=1")
    except (OSError, AttributeError, IndexError):
        return None
    return lib if lib.device else None


def make_caster(vertices_V3: F32, faces_F3: I32) -> SharedCaster | CopyingCaster:
    """The faster caster that this installation has."""
    lib = library()
    return SharedCaster(vertices_V3, faces_F3, lib) if lib else CopyingCaster(vertices_V3, faces_F3)


class SharedCaster:
    """Embree on arrays that stay ours."""

    def __init__(self, vertices_V3: F32, faces_F3: I32, lib: Any) -> None:
        self._lib = lib
        # Embree reads vertices by 16 bytes: one row more than there are
        self._vertices = np.zeros((len(vertices_V3) + 1, 3), np.float32)
        self._vertices[:-1] = vertices_V3
        self._faces = np.ascontiguousarray(faces_F3, np.uint32)
        self._scene = lib.rtcNewScene(lib.device)
        lib.rtcSetSceneFlags(self._scene, _ROBUST)
        geometry = lib.rtcNewGeometry(lib.device, _TRIANGLES)
        for kind, form, array, count in (
            (_VERTEX, _FLOAT3, self._vertices, len(vertices_V3)),
            (_INDEX, _UINT3, self._faces, len(faces_F3)),
        ):
            lib.rtcSetSharedGeometryBuffer(geometry, kind, 0, form, array.ctypes.data, 0, 12, count)
        lib.rtcCommitGeometry(geometry)
        lib.rtcAttachGeometry(self._scene, geometry)
        lib.rtcReleaseGeometry(geometry)
        lib.rtcCommitScene(self._scene)
        if code := lib.rtcGetDeviceError(lib.device):
            raise RuntimeError(f"Embree could not build its tree (error {code})")
        self._valid = _aligned(1, 1)
        self._valid.view(np.int32)[:] = -1

    def __del__(self) -> None:
        if getattr(self, "_scene", None):
            self._lib.rtcReleaseScene(self._scene)

    def nearest(self, origin_N3: F32, ray_N3: F32) -> tuple[I32, F32, F32, F32]:
        """See `raycast.Caster`."""
        n = len(ray_N3)
        face, u, v, far = np.empty(n, np.uint32), *np.empty((3, n), np.float32)
        packet = _blank(origin_N3, ray_N3, _RAY_ROWS + _HIT_ROWS)
        coherent = not origin_N3.strides[0]
        for part, count in _parts(n):
            _fill(packet[:count], origin_N3, ray_N3, part, np.float32(np.inf))
            packet.view(np.uint32)[:count, 17:19] = _NONE
            self._cast(self._lib.rtcIntersect16, packet[:count], coherent)
            for out, row in ((face.view(np.float32), 17), (u, 15), (v, 16), (far, 8)):
                _unpack(packet, row, out[part])
        return face.view(np.int32), u, v, far

    def blocked(self, origin_N3: F32, ray_N3: F32) -> npt.NDArray[np.bool_]:
        """See `raycast.Caster`."""
        n = len(ray_N3)
        out = np.empty(n, np.float32)
        packet = _blank(origin_N3, ray_N3, _RAY_ROWS)
        coherent = not origin_N3.strides[0] or not ray_N3.strides[0]
        for part, count in _parts(n):
            _fill(packet[:count], origin_N3, ray_N3, part, np.float32(1))
            self._cast(self._lib.rtcOccluded16, packet[:count], coherent)
            _unpack(packet, 8, out[part])
        return out < 0

    def _cast(self, function: Any, packet: F32, coherent: bool) -> None:
        arguments = c.addressof(_COHERENT) if coherent else None
        valid, scene, start, step = self._valid.ctypes.data, self._scene, packet.ctypes.data, packet.strides[0]
        addresses = range(start, start + step * len(packet), step)
        deque(map(function, repeat(valid), repeat(scene), addresses, repeat(arguments)), 0)  # a loop without bytecode


def _aligned(count: int, rows: int) -> F32:
    """Uninitialised (count, rows, 16) floats that begin at a multiple of 64 bytes."""
    raw = np.empty(count * rows * 64 + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + count * rows * 64].view(np.float32).reshape(count, rows, _WIDE)


def _blank(origin_N3: F32, ray_N3: F32, rows: int) -> F32:
    """Room for all rays, or for as many as are cast in one go, as Embree's RTCRay16; what all have in common is set."""
    packet = _aligned(-(-min(len(ray_N3), _PART) // _WIDE), rows)
    words = packet.view(np.uint32)
    words[:, 3::4] = 0  # parameter at the start, time, flags
    words[:, 9] = _NONE
    words[:, 10] = 0
    for first, vectors in ((0, origin_N3), (4, ray_N3)):
        if not vectors.strides[0] and len(vectors):  # one vector for all
            packet[:, first : first + 3] = vectors[0, :, None]
    return packet


def _parts(n: int) -> Iterator[tuple[slice, int]]:
    """Rays that are cast in one go, and how many packets they fill: what Embree reads is then still in the cache."""
    for start in range(0, n, _PART):
        stop = min(start + _PART, n)
        yield slice(start, stop), -(-(stop - start) // _WIDE)


def _fill(packet: F32, origin_N3: F32, ray_N3: F32, part: slice, far: np.float32) -> None:
    """Put rays into packets, the last one filled up with copies of the last ray."""
    n = part.stop - part.start
    whole = n // _WIDE
    for first, vectors in ((0, origin_N3), (4, ray_N3)):
        if not vectors.strides[0]:
            continue
        some = vectors[part]
        packet[:whole, first : first + 3] = some[: whole * _WIDE].reshape(whole, _WIDE, 3).transpose(0, 2, 1)
        if whole < len(packet):
            packet[whole, first : first + 3] = some[np.minimum(np.arange(whole * _WIDE, (whole + 1) * _WIDE), n - 1)].T
    packet[:, 8] = far


def _unpack(packet: F32, row: int, out_N: F32) -> None:
    """One row of packets, ray after ray."""
    whole = len(out_N) // _WIDE
    out_N[: whole * _WIDE].reshape(whole, _WIDE)[:] = packet[:whole, row]
    if rest := len(out_N) - whole * _WIDE:
        out_N[whole * _WIDE :] = packet[whole, row, :rest]


class CopyingCaster:
    """embreex's own classes."""

    def __init__(self, vertices_V3: F32, faces_F3: I32) -> None:
        from embreex import rtcore_scene
        from embreex.mesh_construction import TriangleMesh

        self._scene = rtcore_scene.EmbreeScene(robust=True)
        self._mesh = TriangleMesh(self._scene, vertices_V3, faces_F3)

    def nearest(self, origin_N3: F32, ray_N3: F32) -> tuple[I32, F32, F32, F32]:
        """See `raycast.Caster`."""
        hit = self._scene.run(origin_N3, ray_N3, output=1)
        return hit["primID"], hit["u"], hit["v"], hit["tfar"]

    def blocked(self, origin_N3: F32, ray_N3: F32) -> npt.NDArray[np.bool_]:
        """See `raycast.Caster`."""
        found: npt.NDArray[np.int32] = self._scene.run(origin_N3, ray_N3, dists=1.0, query="OCCLUDED")
        return found >= 0
