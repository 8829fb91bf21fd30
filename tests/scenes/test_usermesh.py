"""Meshes of the user's own: their colours, parts and places, from files that trimesh writes and from some by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

from simteacher.scenes.mesh import Mesh
from simteacher.scenes.palette import rgb
from simteacher.scenes.usermesh import COLOURS, load_mesh


def _square(x: float = 0.0) -> trimesh.Trimesh:
    """Two triangles, the texture's lower left and upper right half."""
    corner = np.array([[x, 0, 0], [x + 1, 0, 0], [x + 1, 1, 0], [x, 1, 0]], float)
    return trimesh.Trimesh(corner, [[0, 1, 2], [0, 2, 3]], process=False)


UV = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)


def _tints(mesh: Mesh) -> np.ndarray:
    """Linear colour of every face."""
    return np.array([m.tint for m in mesh.materials])[mesh.material_F]


def test_a_texture_colours_each_triangle(tmp_path: Path) -> None:
    """Left half red, right half blue; a triangle that lies in one half has its colour, not a mean of all."""
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:, :4], picture[:, 4:] = (200, 0, 0), (0, 0, 200)
    a, b = _square(), _square(2)
    a.visual = TextureVisuals(UV * [0.3, 1] + [0.1, 0], PBRMaterial(baseColorTexture=Image.fromarray(picture)))
    b.visual = TextureVisuals(UV * [0.3, 1] + [0.6, 0], PBRMaterial(baseColorTexture=Image.fromarray(picture)))
    trimesh.Scene([a, b]).export(tmp_path / "two.glb")
    found = _tints(load_mesh(tmp_path / "two.glb", 1.0, "y"))
    assert sorted(map(tuple, found.round(3).tolist())) == sorted([rgb_of(200, 0, 0)] * 2 + [rgb_of(0, 0, 200)] * 2)


def rgb_of(*colour: int) -> tuple[float, ...]:
    return tuple(round(float(v), 3) for v in rgb(*colour))


def test_materials_of_an_obj(tmp_path: Path) -> None:
    """Kd is what a picture shows, not light."""
    (tmp_path / "q.mtl").write_text("newmtl red\nKd 0.8 0 0\nnewmtl green\nKd 0 0.6 0\n")
    (tmp_path / "q.obj").write_text(
        "mtllib q.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nusemtl red\nf 1 2 3\nusemtl green\nf 1 3 4\n"
    )
    found = _tints(load_mesh(tmp_path / "q.obj", 1.0, "z"))
    assert sorted(map(tuple, found.round(2).tolist())) == sorted(
        tuple(round(v, 2) for v in rgb(*c)) for c in ((204, 0, 0), (0, 153, 0))
    )


def test_a_factor_of_gltf_is_linear_light(tmp_path: Path) -> None:
    mesh = _square()
    mesh.visual = TextureVisuals(UV, PBRMaterial(baseColorFactor=[0.5, 0.0, 0.0, 1.0]))
    mesh.export(tmp_path / "f.glb")
    assert _tints(load_mesh(tmp_path / "f.glb", 1.0, "y"))[0] == pytest.approx(
        [0.5, 0, 0], abs=0.02
    )  # tints are of a power of 2.2


def test_a_factor_tints_the_texture(tmp_path: Path) -> None:
    """Their product in linear light (glTF 2.0): white times half red."""
    mesh, white = _square(), Image.fromarray(np.full((4, 4, 3), 255, np.uint8))
    mesh.visual = TextureVisuals(UV, PBRMaterial(baseColorTexture=white, baseColorFactor=[0.5, 0.0, 1.0, 1.0]))
    mesh.export(tmp_path / "t.glb")
    assert _tints(load_mesh(tmp_path / "t.glb", 1.0, "y"))[0] == pytest.approx([0.5, 0, 1], abs=0.02)


def test_parts_keep_their_own_colours_and_places(tmp_path: Path) -> None:
    """A scene of a textured and a plainly coloured part, one of them moved."""
    picture = Image.fromarray(np.full((4, 4, 3), (0, 200, 0), np.uint8))
    a, b = _square(), _square()
    a.visual = TextureVisuals(UV, PBRMaterial(baseColorTexture=picture))
    b.visual.face_colors = (200, 0, 0, 255)
    scene = trimesh.Scene()
    scene.add_geometry(a, transform=trimesh.transformations.translation_matrix([0, 0, 3]))
    scene.add_geometry(b)
    scene.export(tmp_path / "mixed.glb")
    mesh = load_mesh(tmp_path / "mixed.glb", 1.0, "y")
    assert len({tuple(t) for t in _tints(mesh).round(2).tolist()}) == 2
    assert np.ptp(mesh.vertices_V3[:, 0]) == pytest.approx(3)  # with y up, the file's z is forward


def test_many_colours_become_few_and_stay_near(tmp_path: Path) -> None:
    """Of 900 triangles of random colours: a bounded number of materials, each face within half a level of a channel."""
    count = 900
    g = np.random.default_rng(0)
    corner = g.random((count * 3, 3)) * 4
    mesh = trimesh.Trimesh(corner, np.arange(count * 3).reshape(-1, 3), process=False)
    colour = g.integers(0, 256, (count, 3)).astype(np.uint8)
    mesh.visual.face_colors = np.column_stack([colour, np.full(count, 255)])
    mesh.export(tmp_path / "many.ply")
    made = load_mesh(tmp_path / "many.ply", 1.0, "z")
    assert 8 < len(made.materials) <= COLOURS
    red = _tints(made)[:, 0]
    assert np.corrcoef(red, colour[:, 0])[0, 1] > 0.8


def test_without_colours_it_is_grey(tmp_path: Path) -> None:
    _square().export(tmp_path / "plain.stl")
    assert np.ptp(_tints(load_mesh(tmp_path / "plain.stl", 1.0, "z"))) == 0
