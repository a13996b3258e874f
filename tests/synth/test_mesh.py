"""Surfaces: curves through their points, tubes whose normals point outwards, exact labels."""

from __future__ import annotations

import numpy as np
import pytest

from c2l.synth import labels
from c2l.synth.arrays import Floats, vec
from c2l.synth.camera import Camera
from c2l.synth.chance import Part, stream
from c2l.synth.light import Light, Shadows
from c2l.synth.materials import plain
from c2l.synth.mesh import Mesh, Sheet, Triangles, curve, tube_points
from c2l.synth.person import draw_person, sample_person
from c2l.synth.render import render

WHITE = plain(vec(1.0, 1.0, 1.0))
NOON = Light(
    vec(0.0, 0.8, 0.6), vec(1.0, 1.0, 1.0), vec(0.4, 0.4, 0.4), vec(0.1, 0.1, 0.1),
    1.0, 0.0, 1.0, 0.0, False,
)  # fmt: skip


def column(mesh: Mesh, x: float, z: float, *, label: int = 1, height: float = 2.0) -> None:
    """A round upright column of radius 0.2."""
    path = np.array(((x, 0.0, z), (x, height, z)))
    points = tube_points(path, np.full((2, 2), 0.2), np.array(((0.0, 0.0, 1.0),)), 9, 16)
    mesh.add(Sheet(points, label, mesh.material(WHITE)))


def looking(zoom: float = 40.0) -> Camera:
    return Camera(np.array((0.0, 1.0, 6.0)), np.eye(3), zoom, (20.0, 24.0))


def test_a_curve_runs_through_its_points() -> None:
    points = np.random.default_rng(0).normal(size=(6, 3))
    assert np.allclose((curve(6, 11) @ points)[::2], points)
    assert np.allclose(curve(6, 3, 1.0, 3.0) @ points, points[1:4])


def test_a_straight_curve_stays_straight() -> None:
    line = np.linspace(0.0, 5.0, 6)
    assert np.allclose(curve(6, 31) @ line, np.linspace(0.0, 5.0, 31))


def test_normals_of_tubes_point_outwards() -> None:
    mesh = Mesh()
    column(mesh, 1.0, 0.0)
    triangles = mesh.finish()
    out = triangles.point - vec(1.0, 0.0, 0.0)
    out[:, 1] = 0.0
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    assert np.allclose(triangles.surface[:, :3], out, atol=0.02)


def test_only_the_side_that_faces_the_viewer_is_seen() -> None:
    mesh = Mesh()
    column(mesh, 0.0, 0.0)
    triangles = mesh.finish()
    shot = render(triangles, mesh, looking(), NOON, Shadows(triangles, NOON), 40, 48)
    assert shot.shown.sum() > 20
    assert (shot.light[shot.shown] > 0.05).all()


def test_the_nearer_of_two_things_is_labelled() -> None:
    for near, far in ((1, 2), (2, 1)):
        mesh = Mesh()
        column(mesh, 0.0, 1.0, label=near)
        column(mesh, 0.05, -1.0, label=far)
        triangles = mesh.finish()
        shot = render(triangles, mesh, looking(), NOON, Shadows(triangles, NOON), 40, 48)
        assert shot.labels[24, 20] == near


def test_what_stands_in_the_light_throws_a_shadow() -> None:
    mesh = Mesh()
    column(mesh, 0.0, 0.0, height=1.0)
    shadows = Shadows(mesh.finish(), NOON)
    reach = -0.7  # the light comes from the front, so the shadow falls to the back
    behind, before = vec(0.0, 0.02, reach), vec(0.0, 0.02, 0.7)
    assert shadows.on(np.stack([behind, before]), 0.02).tolist() == [1.0, 0.0]


def cast(triangles: Triangles, camera: Camera, x: int, y: int) -> tuple[set[int], float]:
    """Labels of the nearest surfaces along a pixel's ray, and how near its edges they are."""
    origin, ray = camera.place, camera.rays(np.float32(x), np.float32(y)).astype(np.float64)
    a, b, c = (triangles.point[triangles.corner[:, k]].astype(np.float64) for k in range(3))
    one, two = b - a, c - a
    p = np.cross(ray, two)
    scale = (one * p).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        u = ((origin - a) * p).sum(1) / scale
        q = np.cross(origin - a, one)
        v = (q @ ray) / scale
        t = (two * q).sum(1) / scale
    keep = triangles.keep[triangles.corner]
    kept = keep[:, 0] * (1 - u - v) + keep[:, 1] * u + keep[:, 2] * v
    edge = np.minimum(np.minimum(u, v), 1 - u - v)
    front = triangles.both_sides | (scale > 0)
    hit = (np.abs(scale) > 1e-12) & front & (edge >= 0) & (t > 0) & (kept >= 0)
    doubt = (np.abs(edge) < 0.02) & front & (t > 0) & (kept >= -0.02)
    if not hit.any():
        return {0}, 0.0 if doubt.any() else 1.0
    nearest = float(t[hit].min())
    close = hit & (t < nearest + 2e-3)
    unsure = bool((doubt & (t < nearest + 2e-3)).any() or (np.abs(kept[close]) < 0.02).any())
    return set(triangles.label[close].tolist()), 0.0 if unsure else 1.0


@pytest.mark.parametrize("index", range(4))
def test_labels_of_a_dressed_person_are_what_rays_meet_first(index: int) -> None:
    rng = stream(11, index, Part.PERSON)
    person = sample_person(rng, warm=0.4, child=index == 3)
    mesh = Mesh()
    draw_person(mesh, person, 0.6)
    triangles = mesh.finish()
    camera = looking(110.0)
    shot = render(triangles, mesh, camera, NOON, Shadows(triangles, NOON), 40, 48)
    compared = labelled = 0
    for y in range(0, 48, 3):
        for x in range(1, 40, 3):
            found, sure = cast(triangles, camera, x, y)
            if sure and len(found) == 1:
                compared += 1
                labelled += found != {labels.BACKGROUND}
                assert {int(shot.labels[y, x])} == found, (x, y)
    assert compared > 100
    assert labelled > 10


def test_materials_are_counted_once() -> None:
    mesh = Mesh()
    first: Floats = vec(0.1, 0.2, 0.3)
    one, other = plain(first), plain(first)
    assert [mesh.material(m) for m in (one, other, one)] == [0, 1, 0]
