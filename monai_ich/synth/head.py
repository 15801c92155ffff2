"""One synthetic head: from a point in the scanner to a point in the atlas, with the bleeds' mass
effect between.

Three spaces, all in mm: the world (RAS); ``h``, the undisturbed head in MNI mm (pose, scale and a
smooth warp undone); ``b``, the brain as it was before the bleeds pushed it. The skull lives in
``h``, brain tissue and the midline live in ``b``. The warp keeps the plane x = 0, so the ideal
midline is x = 0 in ``h``, the displaced one x = 0 in ``b``.
"""

from __future__ import annotations

import math

import torch

from monai_ich.core.labels import EXTRA_AXIAL, Subtype
from monai_ich.synth.atlas import Atlas, in_posterior_fossa, load_atlas, sample
from monai_ich.synth.case import SETTLED, HeadCase, HemorrhageCase, Point
from monai_ich.synth.cisterns import cisterns_mm
from monai_ich.synth.fields import CENTER_MM, Fields, fold_score, tangential_mm
from monai_ich.synth.noise import BLOB, FOLD, WARP, noise_maps

# between the foramina of Monro, MNI mm: the septum's lower end, above the front of the third
# ventricle
MONRO_MM = (0.0, -2.0, 5.0)
_STEPS, _DAMPED = 60, 0.7  # of the search for where a point of the brain was pushed to
_MAX_THICKNESS_MM = {Subtype.EDH: 38.0, Subtype.SDH: 28.0}


def _rotation(degrees: tuple[float, float, float]) -> torch.Tensor:
    """World from head: roll about y, pitch about x, yaw about z."""
    pitch, roll, yaw = (math.radians(v) for v in degrees)
    cx, sx, cy, sy, cz, sz = *_cs(pitch), *_cs(roll), *_cs(yaw)
    x = torch.tensor([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    y = torch.tensor([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    z = torch.tensor([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1.0]])
    return z @ y @ x


def _cs(angle: float) -> tuple[float, float]:
    return math.cos(angle), math.sin(angle)


class Head:
    """A head ready to be looked at anywhere.

    Args:
        case: what it is. Sizes of the bleeds and strength of the push are solved here so that
            volumes and midline shift come out as asked for, where there is room.
        device: torch device.
    """

    def __init__(self, case: HeadCase, device: torch.device | str = "cpu") -> None:
        self.case = case
        self.device = torch.device(device)
        atlas = load_atlas()
        self.atlas = Atlas(atlas.tissue.to(self.device), atlas.hull.to(self.device))
        self.noise = noise_maps(case.seed).to(self.device)
        self.rotation = _rotation(case.scanner.rotation_deg).to(self.device)
        self.scale_mm = sum(case.anatomy.scale) / 3.0
        self.sites = [
            self.on_skull(b.center_mm) if b.on_skull else b.center_mm for b in case.hemorrhages
        ]
        defect, swelling = case.anatomy.defect, case.anatomy.swelling
        self.defect_site = self.on_skull(defect.center_mm) if defect else None
        self.swelling_site = self.on_skull(swelling.center_mm) if swelling else None
        self.sizes = [0.0] * len(case.hemorrhages)
        self.push_mm = 0.0
        self.shift_mm = self._solve()

    # -- coordinates
    def to_head(
        self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """World RAS mm to posed MNI mm, before the warp."""
        s, r = self.case.anatomy.scale, self.rotation
        center = [c * k for c, k in zip(CENTER_MM, s, strict=True)]
        dx, dy = self.case.scanner.offset_mm
        x, y, z = x - dx - center[0], y - dy - center[1], z - center[2]
        rotated = [r[0, i] * x + r[1, i] * y + r[2, i] * z for i in range(3)]
        return tuple((v + c) / k for v, c, k in zip(rotated, center, s, strict=True))

    def fields(self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> Fields:
        """Everything about world points (RAS mm) of any shape."""
        return self.fields_of_head(*self.to_head(x, y, z))

    def fields_of_head(self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> Fields:
        """The same for posed MNI points before the warp."""
        noise = sample(self.noise, x, y, z)  # coarser than the atlas, over the same box
        warp = noise[WARP] * self.case.anatomy.warp_mm
        hx, hy, hz = x + warp[0] * torch.tanh(x.abs() / 20.0), y + warp[1], z + warp[2]
        hull = sample(self.atlas.hull, hx, hy, hz)[0] * self.scale_mm
        depth = self.case.anatomy.csf_gap_mm - hull
        defect, defect_mm = self.case.anatomy.defect, torch.full_like(hx, 1000.0)
        if defect and self.defect_site:
            defect_mm = tangential_mm(self.defect_site, hx, hy, hz)
            if defect.bulge_mm:
                depth = depth + defect.bulge_mm * (
                    1.0 - (defect_mm / defect.radius_mm) ** 2
                ).clamp_min(0)
        clots = tuple(
            self._bump(i, b, hx, hy, hz, noise).mul(self.sizes[i])
            for i, b in enumerate(self.case.hemorrhages)
            if b.on_skull
        )
        bx, by, bz = self._before_mass(hx, hy, hz, depth, clots)
        tissue = sample(self.atlas.tissue, bx, by, bz)
        return Fields(hx, hy, hz, bx, by, bz, depth, tissue, noise, clots, defect_mm)

    # -- bleeds
    def on_skull(self, point_mm: Point) -> Point:
        """Where the ray from the head's center through a point (MNI mm) meets the hull."""
        center = torch.tensor(CENTER_MM, device=self.device)
        ray = torch.tensor(point_mm, device=self.device) - center
        points = center + torch.linspace(0.3, 1.6, 131, device=self.device)[:, None] * ray
        hull = sample(self.atlas.hull, *points.T)[0]
        x, y, z = points[int(hull.abs().argmin())].tolist()
        return x, y, z

    def _bump(
        self,
        index: int,
        bleed: HemorrhageCase,
        hx: torch.Tensor,
        hy: torch.Tensor,
        hz: torch.Tensor,
        noise: torch.Tensor,
    ) -> torch.Tensor:
        """Relative thickness (0..1) of an extra-axial clot: EDH a lens, SDH a crescent; never
        across the falx.
        """
        cx, cy, cz = self.sites[index]
        if bleed.subtype is Subtype.EDH:
            bump = 1.0 - (tangential_mm((cx, cy, cz), hx, hy, hz) / bleed.extent_mm) ** 2
        else:
            square = (hx - cx) ** 2 + (hy - cy) ** 2 + (hz - cz) ** 2
            bump = 1.0 - (square / bleed.extent_mm**2) ** 2
            bump = (
                bump
                * (1.0 + 0.8 * bleed.roughness * noise[BLOB])
                * ((hz + 32.0) / 12.0).clamp(0, 1)
            )
        return (bump * ((bleed.side * hx - 1.0) / 7.0).clamp(0, 1)).clamp(0, 1)

    def scores(self, f: Fields) -> list[torch.Tensor]:
        """For each bleed a field whose lowest values it fills first; infinite where it cannot
        be.
        """
        clots = iter(f.clots)
        taken = torch.zeros_like(f.depth, dtype=torch.bool)
        scores = []
        for i, bleed in enumerate(self.case.hemorrhages):
            if bleed.on_skull:
                bump = (
                    next(clots) / self.sizes[i]
                    if self.sizes[i]
                    else self._bump(i, bleed, f.hx, f.hy, f.hz, f.noise)
                )
                score = torch.where(
                    (f.depth > 0) & (bump > 0.02), f.depth / bump.clamp_min(0.02), torch.inf
                )
            elif bleed.subtype is Subtype.SDH:
                score = fold_score(bleed, f)
            else:
                score = self._inside_score(bleed, self.sites[i], f)
            scores.append(score)
        for i, bleed in enumerate(
            self.case.hemorrhages
        ):  # a clot outside the brain leaves no room for others
            if bleed.subtype in EXTRA_AXIAL:
                scores[i] = torch.where(taken, torch.inf, scores[i])
                taken = taken | (scores[i] <= self.sizes[i])
        for i, bleed in enumerate(self.case.hemorrhages):
            if bleed.subtype not in EXTRA_AXIAL:
                scores[i] = torch.where(taken, torch.inf, scores[i])
                if bleed.subtype is Subtype.IPH:
                    taken = taken | (scores[i] <= self.sizes[i])
        return scores

    def height_mm(self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Height of head points above the table, but for a constant: the patient lies on the
        back.
        """
        up: list[float] = self.rotation[1].tolist()
        return up[0] * x + up[1] * y + up[2] * z

    def ventricles(self, f: Fields) -> torch.Tensor:
        """Signed distance (mm) to the ventricles' wall, negative inside; the pressed side is
        narrower.
        """
        a = self.case.anatomy
        blood = sum(b.volume_ml for b in self.case.hemorrhages if b.subtype is Subtype.IVH)
        growth = a.ventricle_growth_mm + min(4.0, 0.08 * blood)
        pressed = min(1.0, abs(self.push_mm) / 12.0)
        side = torch.sign(f.bx) * (-1.0 if self.push_mm > 0 else 1.0)  # +1 on the side that pushes
        lateral = f.tissue[2] - growth + pressed * side * 1.2
        septum = (1.0 - f.bx.abs()).clamp(min=-3.0) * (f.bz > 6.0) - 3.0 * (f.bz <= 6.0)
        return torch.maximum(torch.minimum(lateral, f.tissue[3] - 0.5 * growth), septum)

    def csf(self, f: Fields) -> torch.Tensor:
        """Share of cerebrospinal fluid outside the ventricles, 0..1 (cisterns, sulci, the gap below
        the skull).
        """
        a = self.case.anatomy
        pressed = min(1.0, abs(self.push_mm) / 10.0) * (
            f.bx * (-1.0 if self.push_mm > 0 else 1.0) > 0
        )
        brain = f.tissue[0] + f.tissue[1]
        share = 1.0 - ((brain - a.sulcus_threshold * (1.0 - 0.6 * pressed)) / 0.2 + 0.5).clamp(0, 1)
        width = a.fold_width * (1.0 - 0.8 * pressed) + 1e-3
        inward = (f.depth - a.csf_gap_mm - 7.0).clamp_min(0) / 14.0
        fold = 1.0 - (f.noise[FOLD].abs() / width + inward).clamp(0, 1)
        cistern = (
            0.5 - (cisterns_mm(f.bx, f.by, f.bz) - self._cistern_mm() * (1.0 - 0.6 * pressed)) / 1.4
        )
        return torch.maximum(torch.maximum(share, fold * (f.bz > -25.0)), cistern.clamp(0, 1))

    def _cistern_mm(self) -> float:
        """Half the width of the cisterns; blood that fills them stretches them."""
        filled = sum(b.volume_ml for b in self.case.hemorrhages if b.place == "cisterns")
        return self.case.anatomy.fissure_mm + min(2.5, 0.07 * filled)

    def _inside_score(self, bleed: HemorrhageCase, site: Point, f: Fields) -> torch.Tensor:
        """Scores of the bleeds inside the dura: distance from the site (IPH, SAH), height in the
        ventricle (IVH).
        """
        ventricles, csf = self.ventricles(f), self.csf(f)
        cx, cy, cz = site
        if bleed.subtype is Subtype.IVH:
            if bleed.roughness < SETTLED:
                score = self.height_mm(f.hx, f.hy, f.hz) + 4.0 * bleed.roughness * f.noise[BLOB]
            else:
                away = ((f.bx - cx) ** 2 + (f.by - cy) ** 2 + (f.bz - cz) ** 2).sqrt()
                score = away + 12.0 * bleed.roughness * f.noise[BLOB]
            return torch.where(ventricles < -0.2, score, torch.inf)
        if bleed.place == "cisterns":
            score = (
                cisterns_mm(f.bx, f.by, f.bz)
                + 0.12 * (f.bx**2 + f.by**2 + (f.bz + 18.0) ** 2).sqrt()
            )
            score = score + 4.0 * bleed.roughness * f.noise[BLOB] + 0.05 * bleed.side * f.bx
            return torch.where((csf > 0.5) & (f.depth > 0.8) & (ventricles > 0.5), score, torch.inf)
        stretch = 0.75 + 0.5 * abs(math.sin(7.0 * cx + cy))  # an elongated clot, fixed by its place
        distance = (
            (f.hx - cx) ** 2
            + ((f.hy - cy) / (0.7 + 0.6 * stretch)) ** 2
            + ((f.hz - cz) / (1.6 - 0.6 * stretch)) ** 2
        )
        score = distance.sqrt() * (1.0 + 0.5 * bleed.roughness * f.noise[BLOB]).clamp_min(0.5)
        if bleed.subtype is Subtype.IPH:
            below = bool(in_posterior_fossa(*(torch.tensor(c) for c in site)))
            room = (f.depth > 2.5) & (ventricles > 0.5) & (csf < 0.9)
            return torch.where(
                room & (in_posterior_fossa(f.bx, f.by, f.bz) == below), score, torch.inf
            )
        room = (csf > 0.5) & (f.depth > 0.8) & (ventricles > 0.5) & (f.hz > -55.0)
        return torch.where(room, score, torch.inf)

    # -- mass effect
    def _before_mass(
        self,
        hx: torch.Tensor,
        hy: torch.Tensor,
        hz: torch.Tensor,
        depth: torch.Tensor,
        clots: tuple[torch.Tensor, ...],
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        bx, by, bz = hx, hy, hz
        rx, ry, rz = hx - CENTER_MM[0], hy - CENTER_MM[1], hz - CENTER_MM[2]
        inverse = torch.rsqrt(rx * rx + ry * ry + rz * rz + 1.0)
        for clot in clots:  # brain below a clot was nearer to the skull
            pressed = (
                clot * torch.exp(-(depth - clot).clamp_min(0) / 28.0) * inverse / self.scale_mm
            )
            bx, by, bz = bx + rx * pressed, by + ry * pressed, bz + rz * pressed
        fixed = 1.0 - torch.exp(-depth.clamp_min(0) / 14.0)
        for i, bleed in enumerate(self.case.hemorrhages):
            if bleed.subtype is Subtype.IPH and self.sizes[i]:
                cx, cy, cz = self.sites[i]
                dx, dy, dz = hx - cx, hy - cy, hz - cz
                ratio = 0.6 * (self.sizes[i] ** 2 / (dx * dx + dy * dy + dz * dz + 1.0)) ** 1.5
                pull = (1.0 - (1.0 - ratio).clamp_min(0.05) ** (1.0 / 3.0)) * fixed
                bx, by, bz = bx - dx * pull, by - dy * pull, bz - dz * pull
        if self.push_mm:
            anchor = self._push_center()
            reach = max(20.0, 1.6 * abs(self.push_mm))
            damp = 1.0 - torch.exp(-depth.clamp_min(0) / reach)
            where = torch.exp(-0.5 * (((hy - anchor) / 48.0) ** 2 + ((hz - 12.0) / 36.0) ** 2))
            bx = bx - self.push_mm * where * damp * torch.sigmoid((hz + 22.0) / 6.0)
        return bx, by, bz

    def _push_center(self) -> float:
        masses = [b for b in self.case.hemorrhages if b.subtype in (*EXTRA_AXIAL, Subtype.IPH)]
        mean = sum(b.center_mm[1] * b.volume_ml for b in masses) / max(
            sum(b.volume_ml for b in masses), 1e-6
        )
        return max(-22.0, min(20.0, mean))

    def shift_at_monro_mm(self) -> float:
        """The exact midline shift at the foramina of Monro: how far the point of the brain there
        was pushed, positive to the patient's right.
        """
        brain = torch.tensor(MONRO_MM, device=self.device)
        head = brain.clone()
        for _ in range(_STEPS):
            f = self.fields_of_head(*head[:, None])
            head = head + _DAMPED * (brain - torch.cat([f.bx, f.by, f.bz]))
        return float(head[0]) * self.case.anatomy.scale[0]

    def measure_shift_mm(self) -> float:
        """The largest midline shift: largest distance between the displaced midline and the ideal
        plane at the level of septum pellucidum and third ventricle, positive to the patient's
        right."""
        x, y, z = torch.meshgrid(
            torch.arange(-32.0, 33.0, device=self.device),
            torch.arange(-26.0, 23.0, 3.0, device=self.device),
            torch.arange(-2.0, 23.0, 3.0, device=self.device),
            indexing="ij",
        )
        bx = self.fields_of_head(x, y, z).bx
        left, right = bx[:-1], bx[1:]
        crosses = (left < 0) & (right >= 0)
        root = torch.where(crosses, x[:-1] - left / (right - left).clamp_min(1e-6), 0.0)
        nearest = root.abs().amax(dim=0)
        best = root.abs().flatten().argmax()
        return (
            float(root.flatten()[best]) * self.case.anatomy.scale[0]
            if float(nearest.max()) > 0
            else 0.0
        )

    # -- solving
    def _solve(self) -> float:
        """Find the sizes that give the volumes asked for, and the push that gives the shift asked
        for.
        """
        step = 3.0
        axes = [
            torch.arange(-98.0, 99.0, step),
            torch.arange(-128.0, 95.0, step),
            torch.arange(-70.0, 96.0, step),
        ]
        x, y, z = (v.to(self.device) for v in torch.meshgrid(*axes, indexing="ij"))
        cell_ml = step**3 * math.prod(self.case.anatomy.scale) / 1000.0
        bleeds = self.case.hemorrhages
        first = [i for i, b in enumerate(bleeds) if b.subtype in EXTRA_AXIAL]
        second = [i for i, b in enumerate(bleeds) if b.subtype is Subtype.IPH]
        third = [i for i, b in enumerate(bleeds) if b.subtype in (Subtype.IVH, Subtype.SAH)]
        for group in (first, second, third):
            if group:
                scores = self.scores(self.fields_of_head(x, y, z))
                for i in group:
                    self.sizes[i] = self._size_for(bleeds[i], scores[i], cell_ml)
            if group is second and self.case.shift_mm:
                for _ in range(5):
                    self.push_mm += self.case.shift_mm - self.measure_shift_mm()
                    self.push_mm = max(-24.0, min(24.0, self.push_mm))
        return self.measure_shift_mm()

    def _size_for(self, bleed: HemorrhageCase, score: torch.Tensor, cell_ml: float) -> float:
        values = score[torch.isfinite(score)]
        wanted = int(bleed.volume_ml / cell_ml)
        if values.numel() == 0 or wanted < 1:
            return (
                max(1.0, (bleed.volume_ml * 239.0) ** (1 / 3))
                if bleed.subtype is Subtype.IPH
                else 0.0
            )
        size = float(values.kthvalue(min(wanted, max(1, int(0.92 * values.numel())))).values)
        return min(size, _MAX_THICKNESS_MM.get(bleed.subtype, math.inf))
