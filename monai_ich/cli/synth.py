"""The command ``monai-ich synth``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from monai_ich.cli.options import add_command, add_output, usage_error

_SUBTYPES = ("EDH", "IPH", "IVH", "SAH", "SDH")


def add_synth(commands: Any) -> None:
    """Add ``synth`` to the command line."""
    sub = add_command(commands, "synth", _synth, "synthetic head CT with exact truth")
    add_output(sub, "folder for the cases")
    sub.add_argument("-n", type=int, default=1, help="how many heads")
    sub.add_argument("--seed", type=int, default=0, help="seed of the first head")
    sub.add_argument("--format", choices=("nifti", "dicom"), default="nifti")
    sub.add_argument(
        "--subtype", choices=_SUBTYPES, action="append", default=[], help="may be repeated"
    )
    sub.add_argument(
        "--volume-ml", type=float, action="append", default=[], help="one for each --subtype"
    )
    sub.add_argument(
        "--shift-mm", type=float, help="midline shift, positive to the patient's right"
    )
    sub.add_argument("--tilt-deg", type=float, help="gantry tilt")
    sub.add_argument("--thickness-mm", type=float, help="slice thickness and spacing")
    sub.add_argument("--noise-hu", type=float, help="noise, standard deviation")
    sub.add_argument("--pixels", type=int, help="rows and columns (default: drawn, 160 to 256)")
    sub.add_argument("--device", default="cpu", help="where heads are made: cpu or cuda")
    sub.add_argument("--workers", type=int, help="heads made side by side (default: one a core)")
    sub.add_argument(
        "--no-thickness", action="store_true", help="truth without clots' thickness, a fifth faster"
    )


def _synth(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from monai_ich.bundle.runtime import require_device
    from monai_ich.core.labels import Subtype
    from monai_ich.io.output import refuse_unwritable
    from monai_ich.synth.dataset import case_folder, design_case, missed_ml, write_dataset

    if len(args.subtype) != len(args.volume_ml):
        raise usage_error("synth needs one --volume-ml for each --subtype.")
    if not all(0.0 < ml <= 500.0 for ml in args.volume_ml):
        raise usage_error("synth needs each --volume-ml above 0 and at most 500.")
    if args.n < 1:
        raise usage_error("synth needs -n of at least 1.")
    require_device(args.device)
    wanted = {Subtype[name]: ml for name, ml in zip(args.subtype, args.volume_ml, strict=True)}
    refuse_unwritable(args.output)
    cases = [
        design_case(
            args.seed + i,
            hemorrhages=wanted or None,
            shift_mm=args.shift_mm,
            pixels=args.pixels,
            tilt_deg=args.tilt_deg,
            thickness_mm=args.thickness_mm,
            noise_hu=args.noise_hu,
        )
        for i in range(args.n)
    ]
    made = write_dataset(
        cases,
        args.output,
        dicom=args.format == "dicom",
        workers=args.workers,
        device=args.device,
        thickness=not args.no_thickness,
        wanted=wanted,
    )
    for _ in tqdm(made, total=len(cases), unit="head", disable=not sys.stderr.isatty()):
        pass
    print(f"wrote {len(cases)} synthetic head{'s' if len(cases) > 1 else ''} into {args.output}")
    for case in cases:
        for subtype, made_ml in missed_ml(args.output / case_folder(case.seed), wanted).items():
            print(
                f"{case_folder(case.seed)}: {subtype.name} {made_ml:.1f} mL, asked for "
                f"{wanted[subtype]:.1f}: its place, other blood and the bone beside it leave no "
                "more to be seen. Try another --seed."
            )
    return 0
