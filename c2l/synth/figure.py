"""A posed body to dress: where its trunk and its limbs run, and how thick they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from c2l.synth.arrays import Floats, unit
from c2l.synth.chance import Rng
from c2l.synth.materials import Material
from c2l.synth.mesh import Mesh, Sheet, curve, tube_points
from c2l.synth.skeleton import LEFT, RIGHT, SIDES, Body

# Numbers of the points that the column of the body runs through, from the ankles up.
ANKLES, SHINS, KNEES, THIGHS, SEAT, HIPS, BELLY, WAIST, RIBS, BUST, ARMPIT, SHOULDERS, NECK = range(
    13
)
# Half width, depth to the front and to the back there, in statures; below the seat that of one
# leg, to which the distance between the legs is added.
_COLUMN = np.array([
    (0.020, 0.022, 0.024), (0.030, 0.030, 0.036), (0.034, 0.036, 0.036), (0.050, 0.052, 0.052),
    (0.056, 0.058, 0.064), (0.093, 0.052, 0.068), (0.087, 0.054, 0.056), (0.075, 0.050, 0.048),
    (0.083, 0.056, 0.054), (0.094, 0.060, 0.056), (0.100, 0.052, 0.053), (0.078, 0.036, 0.042),
    (0.037, 0.032, 0.034),
])  # fmt: skip
_HEAVY = np.array([
    (0.004, 0.004, 0.004), (0.010, 0.010, 0.010), (0.014, 0.012, 0.012), (0.022, 0.020, 0.020),
    (0.026, 0.022, 0.028), (0.030, 0.030, 0.030), (0.046, 0.072, 0.022), (0.050, 0.070, 0.020),
    (0.036, 0.050, 0.018), (0.026, 0.030, 0.020), (0.018, 0.014, 0.018), (0.006, 0.008, 0.012),
    (0.008, 0.008, 0.010),
])  # fmt: skip
_CURVY = np.array([
    (0, 0, 0), (0, 0, 0), (0, 0, 0), (0.004, 0, 0.004), (0.004, 0, 0.008), (0.008, 0, 0.010),
    (0.002, -0.002, 0.002), (-0.006, -0.004, -0.002), (-0.004, 0.008, -0.002),
    (-0.002, 0.026, -0.002), (-0.004, 0.010, -0.002), (-0.004, 0, 0), (-0.004, -0.003, -0.003),
])  # fmt: skip
_BROAD = np.array([
    (0, 0, 0), (0.002, 0.002, 0.004), (0, 0, 0), (0.004, 0.004, 0.002), (0.002, 0, 0.002),
    (-0.004, 0, 0), (-0.002, 0, 0), (0.002, 0, 0), (0.008, 0.004, 0.006), (0.012, 0.008, 0.008),
    (0.012, 0.008, 0.010), (0.008, 0.004, 0.008), (0.006, 0.004, 0.006),
])  # fmt: skip
# Shares of the way along a leg (0 hip, 1 knee, 2 ankle) and half width and depth there.
LEG_AT = (-0.12, 0.2, 0.5, 0.85, 1.0, 1.15, 1.32, 1.65, 1.92, 2.0)
_LEG = np.array([
    (0.056, 0.062), (0.055, 0.060), (0.048, 0.053), (0.037, 0.041), (0.034, 0.038),
    (0.032, 0.035), (0.034, 0.038), (0.026, 0.028), (0.019, 0.022), (0.018, 0.021),
])  # fmt: skip
ARM_AT = (-0.12, 0.0, 0.3, 0.6, 0.92, 1.08, 1.25, 1.5, 1.8, 2.0)
_ARM = np.array([
    (0.028, 0.030), (0.031, 0.034), (0.028, 0.031), (0.025, 0.026), (0.0215, 0.022),
    (0.022, 0.022), (0.0235, 0.023), (0.021, 0.019), (0.0165, 0.0145), (0.0155, 0.013),
])  # fmt: skip


@dataclass
class Figure:
    """A body that is being dressed.

    Args:
        mesh: takes the surfaces.
        body: the posed body.
        rng: source of small differences.
        detail: factor on the number of triangles: 1 for a body 200 samples tall.
    """

    mesh: Mesh
    body: Body
    rng: Rng
    detail: float

    def __post_init__(self) -> None:
        self._fine = float(np.sqrt(min(self.detail, 1.6)))
        self.size = self.body.build.stature
        self.column, self.column_front, self.column_radii = _column(self.body)
        build, k = self.body.build, self.body.build.thick
        grown = np.ones((len(_LEG), 1))
        grown[:4] += 0.18 * build.heavy + 0.06 * build.curvy
        self.leg_radii = _LEG * grown * k
        self.arm_radii = _ARM * k * (0.94 + 0.14 * build.broad)
        self.leg_paths = np.stack([_along(body_leg(self.body, s), LEG_AT) for s in SIDES])
        self.leg_paths[:, 6] -= (
            0.006 * k * np.stack([self.body.legs[s].frame[1][:, 2] for s in SIDES])
        )
        self.arm_paths = np.stack([_along(body_arm(self.body, s), ARM_AT) for s in SIDES])
        # Arms begin inside the trunk, so that shoulders are round.
        inner = (self.column[ARMPIT] + self.column[SHOULDERS]) / 2
        self.arm_paths[:, 0] = self.arm_paths[:, 1] + 0.38 * (inner - self.arm_paths[:, 1])

    def sides(self, count: int) -> int:
        """Points around a section that has `count` at full detail."""
        return max(6, int(count * self._fine) // 2 * 2)

    def rings(self, count: int) -> int:
        """Sections of a surface that has `count` at full detail."""
        return max(4, round(count * self._fine))

    def add(
        self,
        points: Floats,
        label: int,
        material: Material,
        *,
        closed: bool = True,
        both_sides: bool = False,
        across: Floats | None = None,
        along: Floats | None = None,
        keep: Floats | None = None,
        crease: float = 1.0,
    ) -> None:
        """Add a surface (rings, sides, 3) to the mesh."""
        number = self.mesh.material(material)
        self.mesh.add(
            Sheet(points, label, number, closed, both_sides, across, along, keep, crease)
        )  # fmt: skip

    def trunk(
        self, start: float, stop: float, ease: Floats, rings: int, sides: int,
        *, bump: Floats | None = None, exponent: float = 2.2,
    ) -> Floats:  # fmt: skip
        """Points of a surface around the body's column.

        Args:
            start: where it begins, a number of the column's points or between two.
            stop: where it ends.
            ease: metres it stands off the skin: (13, 1) or (13, 3), one row for each point.
            rings: sections.
            sides: points of a section.
            bump: (rings, sides) factors on the radius.
            exponent: see `tube_points`.
        """
        return tube_points(
            self.column, self.column_radii + ease, self.column_front, rings, sides,
            exponent=exponent, bump=bump, span=(start, stop),
        )  # fmt: skip

    def height(self, start: float, stop: float, rings: int) -> Floats:
        """Metres (rings,) above the base of the neck along the column; below it is negative."""
        middle = curve(13, rings, start, stop) @ self.column
        steps = np.sqrt((np.diff(middle, axis=0) ** 2).sum(-1))
        down = np.concatenate([[0.0], np.cumsum(steps)])
        top = curve(13, 24, stop, NECK) @ self.column if stop < NECK else middle[-1:]
        rest = float(np.sqrt((np.diff(top, axis=0) ** 2).sum(-1)).sum())
        return np.asarray(down - down[-1] - rest)

    def leg(
        self, stop: float, ease: Floats, rings: int, sides: int,
        *, start: float = 0.0, bump: Floats | None = None,
    ) -> Floats:  # fmt: skip
        """Points (2, rings, sides, 3) around both legs; `start` and `stop` number `LEG_AT`."""
        front = np.stack([_fronts(self.body.legs[s].frame, LEG_AT) for s in SIDES])
        return tube_points(
            self.leg_paths,
            self.leg_radii + ease,
            front,
            rings,
            sides,
            bump=bump,
            span=(start, stop),
        )

    def arm(
        self, stop: float, ease: Floats, rings: int, sides: int,
        *, start: float = 0.0, bump: Floats | None = None,
    ) -> Floats:  # fmt: skip
        """Points (2, rings, sides, 3) around both arms; `start` and `stop` number `ARM_AT`."""
        front = np.stack([_fronts(self.body.arms[s].frame, ARM_AT) for s in SIDES])
        return tube_points(
            self.arm_paths,
            self.arm_radii + ease,
            front,
            rings,
            sides,
            bump=bump,
            span=(start, stop),
        )


def body_leg(body: Body, side: int) -> tuple[Floats, Floats, Floats]:
    """Hip, knee and ankle."""
    leg = body.legs[side]
    return leg.root, leg.middle, leg.end


def body_arm(body: Body, side: int) -> tuple[Floats, Floats, Floats]:
    """Shoulder, elbow and wrist."""
    arm = body.arms[side]
    return arm.root, arm.middle, arm.end


def _along(joints: tuple[Floats, Floats, Floats], at: tuple[float, ...]) -> Floats:
    root, middle, end = joints
    return np.stack([
        root + (middle - root) * t if t <= 1.0 else middle + (end - middle) * (t - 1.0) for t in at
    ])  # fmt: skip


def _fronts(frames: tuple[Floats, Floats, Floats], at: tuple[float, ...]) -> Floats:
    upper, lower = frames[0][:, 2], frames[1][:, 2]
    return np.stack([upper + (lower - upper) * np.clip((t - 0.8) / 0.4, 0.0, 1.0) for t in at])


def _column(body: Body) -> tuple[Floats, Floats, Floats]:
    """Points (13, 3) of the middle, directions (13, 3) of the front, radii (13, 3) in metres."""
    build = body.build
    trunk, pelvis_up, chest_up = (
        build.length["trunk"],
        body.pelvis_frame[:, 1],
        body.chest_frame[:, 1],
    )
    left, right = (_along(body_leg(body, s), (0.22, 0.6, 1.0, 1.5, 1.95)) for s in SIDES)
    legs, gap = (left + right) / 2, (left - right) / 2
    thigh, shin = (
        unit(body.legs[LEFT].frame[k][:, 2] + body.legs[RIGHT].frame[k][:, 2] + 1e-6)
        for k in (0, 1)
    )
    knee = unit(thigh + shin)
    points = np.stack([
        *legs[::-1], body.pelvis, body.pelvis + pelvis_up * 0.17 * trunk, body.waist,
        body.waist + (body.chest - body.waist) * 0.30, body.chest - chest_up * 0.25 * trunk,
        body.chest - chest_up * 0.13 * trunk, body.chest - chest_up * 0.025 * trunk,
        body.chest + chest_up * 0.08 * trunk,
    ])  # fmt: skip
    hip, chest = body.pelvis_frame[:, 2], body.chest_frame[:, 2]
    middle = unit(hip + chest)
    front = np.stack([
        shin, shin, knee, thigh, unit(thigh + hip), hip, hip, middle, chest, chest, chest, chest,
            chest
    ])  # fmt: skip
    radii = _COLUMN + _HEAVY * build.heavy + _CURVY * build.curvy + _BROAD * build.broad
    radii[ARMPIT:NECK, 0] *= build.length["shoulder"] / (0.107 * build.stature)
    radii[BELLY, 1] += 0.02 * build.child
    radii = radii * build.stature * (1.0 + 0.06 * build.child)
    side = np.cross(body.pelvis_frame[:, 1], hip)
    for row, g in zip(range(5), gap[::-1], strict=True):
        radii[row, 0] += abs(float(g @ side))
        radii[row, 1:] += 0.7 * abs(float(g @ front[row]))
    return points, front, radii
