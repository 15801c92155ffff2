"""Ways to damage an input: what disks, transfers, faulty writers and attackers make of a file; all
from one seed.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
from pydicom.dataelem import DataElement

from tests.dicom.mutants import mutate

Rng = np.random.Generator
NASTY_NUMBERS = (
    "nan",
    "inf",
    "-inf",
    "0",
    "-1",
    "1e999",
    "-1e-320",
    "1" + "0" * 400,
    "4294967296",
    "0x10",
    "1,5",
    "",
)
NASTY_TEXTS = (
    *(
        "",
        " ",
        "\0",
        "=cmd|' /C calc'!A0",
        "../../../etc/passwd",
        "%s%n",
        "\ud800",
        "\u202e",
        "a" * 70_000,
        "[" * 3000,
    ),
    *(
        "$__import__('os').system('false')",
        "@nothing",
        "%nothing::x",
        "{0.__class__}",
        "<script>",
        "null",
        "-",
        "é\r\n",
    ),
)


def pick(rng: Rng, options: Any) -> Any:
    """One of several."""
    return options[int(rng.integers(len(options)))]


def nasty(rng: Rng) -> Any:
    """A value that nobody expects in JSON."""
    return pick(
        rng,
        [
            lambda: float(pick(rng, ["nan", "inf", "-inf", "1e308", "-1e308", "5e-324"])),
            lambda: pick(rng, [0, -1, 2**63, 10**400, True, False, None, 1.5]),
            lambda: pick(rng, NASTY_TEXTS[:-1]),
            lambda: pick(rng, [[], {}, [[]], [None], {"": None}, [{}] * 3, list(range(500))]),
        ],
    )()


def any_bytes(data: bytes, rng: Rng) -> bytes:
    """Bits flipped, cut, zeroed, lost, repeated; now and then nothing is left, or something is
    added.
    """
    if rng.random() < 0.05:
        return pick(
            rng,
            [b"", data[:1], b"\0" * 200, bytes(rng.integers(0, 256, 500, np.uint8)), data + data],
        )
    for _ in range(int(rng.integers(1, 4))):
        data = mutate(data, rng) if data else data
    return data


def packed(data: bytes, rng: Rng, inner: Callable[[bytes, Rng], bytes]) -> bytes:
    """Damage of a gzip file: of what is in it, or of the packing."""
    if rng.random() < 0.4:
        return any_bytes(data, rng)
    plain = inner(gzip.decompress(data), rng)
    if rng.random() < 0.03:
        plain += bytes(60_000_000)  # a bomb
    return gzip.compress(plain, 1)


def json_text(data: bytes, rng: Rng) -> bytes:
    """Damage of a JSON file: a value, its key, its bytes or its encoding."""
    if rng.random() < 0.2:
        return any_bytes(data, rng)
    if rng.random() < 0.08:
        return pick(
            rng,
            [
                b"[" * 100_000,
                b'{"a":' * 100_000,
                b"null",
                b"[]",
                b"{}",
                b'"text"',
                b"1e999",
                b"\xef\xbb\xbf{}",
            ],
        )
    record = json.loads(data)
    for _ in range(int(rng.integers(1, 4))):
        record = _changed(record, rng)
    text = json.dumps(record, ensure_ascii=bool(rng.random() < 0.5))
    encoding = pick(rng, ["utf-8"] * 8 + ["utf-8-sig", "utf-16", "utf-32", "latin-1"])
    return text.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace")


def _changed(record: Any, rng: Rng) -> Any:
    """One value deep inside replaced, dropped, renamed or doubled."""
    if not isinstance(record, (dict, list)) or not record or rng.random() < 0.02:
        return nasty(rng)
    at = pick(rng, list(record) if isinstance(record, dict) else range(len(record)))
    if isinstance(record[at], (dict, list)) and record[at] and rng.random() < 0.75:
        record[at] = _changed(record[at], rng)
        return record
    how = rng.random()
    if how < 0.55:
        record[at] = nasty(rng)
    elif how < 0.75:
        del record[at]
    elif isinstance(record, dict):
        record[pick(rng, NASTY_TEXTS[:-1])] = record[at]
    else:
        record.append(record[at])
    return record


def text_lines(data: bytes, rng: Rng, separators: str = ":") -> bytes:
    """Damage of a text of lines such as ``name: value``."""
    if rng.random() < 0.25:
        return any_bytes(data, rng)
    lines = data.decode("utf-8", "replace").split("\n")
    for _ in range(int(rng.integers(1, 4))):
        n = int(rng.integers(len(lines)))
        name, separator, value = lines[n].partition(pick(rng, separators))
        lines[n] = pick(
            rng,
            [
                f"{name}{separator} {pick(rng, NASTY_NUMBERS)}",
                f"{name}{separator} {pick(rng, NASTY_TEXTS)}",
                f"{name}{separator} {value[: len(value) // 2]}",
                f"{name}{separator}{value}{value}",
                name,
                "",
                f"{lines[n]}\n{lines[n]}",
                f"  {lines[n]}",
            ],
        )
    return "\n".join(lines).encode("utf-8", "replace")


def yaml_text(data: bytes, rng: Rng) -> bytes:
    """Damage of a YAML config, endless aliases and code among it."""
    laughs = b"a0: &a0 [x, x]\n" + b"".join(
        b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 30)
    )
    whole = [
        b"a: &a [*a]\n",
        laughs,
        b"[" * 5000,
        b"a: " + b"{a: " * 3000,
        b"\xff\xfe",
        b"!!python/object/apply:os.system [x]",
    ]
    if rng.random() < 0.05:
        return data + b"\n" + pick(rng, whole)
    return text_lines(data, rng)


def nrrd_file(data: bytes, rng: Rng) -> bytes:
    """Damage of a NRRD file: of its header's lines, or of its packed voxels."""
    header, _, voxels = data.partition(b"\n\n")
    if rng.random() < 0.7:
        more = pick(
            rng,
            [
                b"",
                b"",
                b"",
                b"line skip: 5",
                b"byte skip: -1",
                b"data file: LIST",
                b"sizes: 9 9 9 9 9",
            ],
        )
        return text_lines(header, rng) + (b"\n" + more if more else b"") + b"\n\n" + voxels
    return header + b"\n\n" + packed(voxels, rng, any_bytes)


def nifti_file(data: bytes, rng: Rng) -> bytes:
    """Damage of an unpacked NIfTI file: a field of its header, or any byte."""
    if rng.random() < 0.4:
        return any_bytes(data, rng)
    found = bytearray(data)
    for _ in range(int(rng.integers(1, 3))):
        at, kind = pick(
            rng,
            [
                (40, "<i2"),
                (70, "<i2"),
                (76, "<f4"),
                (108, "<f4"),
                (112, "<f4"),
                (252, "<i2"),
                (256, "<f4"),
            ],
        )
        at += int(rng.integers(8)) * (2 if kind == "<i2" else 4)
        value = pick(
            rng,
            [0, -1, 1, 2, 32767]
            if kind == "<i2"
            else [np.nan, np.inf, -np.inf, 0, -1, 1e38, 1e-38],
        )
        found[at : at + np.dtype(kind).itemsize] = np.array(value, kind).tobytes()
    return bytes(found)


def dicom_file(data: bytes, rng: Rng) -> bytes:
    """Damage of a DICOM file: the value of an element, or any byte."""
    if rng.random() < 0.5:
        return any_bytes(data, rng)
    d = pydicom.dcmread(BytesIO(data))
    for _ in range(int(rng.integers(1, 4))):
        with contextlib.suppress(Exception):  # pydicom itself stumbles over what was changed before
            _change_element(d, rng)
    if rng.random() < 0.05:
        d.file_meta.TransferSyntaxUID = pick(
            rng, ["1.2.3", "", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.1.99"]
        )
    out = BytesIO()
    try:
        d.save_as(out, enforce_file_format=False)
    except Exception:  # what cannot be written cannot be met
        return any_bytes(data, rng)
    return out.getvalue()


def _change_element(d: Any, rng: Rng) -> None:
    elements = [e for e in d if e.VR != "SQ" or not rng.random() < 0.5]
    element = pick(rng, elements)
    if element.VR == "SQ" and len(element.value) and rng.random() < 0.8:
        _change_element(pick(rng, element.value), rng)
        return
    how = rng.random()
    if how < 0.25:
        del d[element.tag]
    elif element.VR in ("DS", "IS", "UI", "CS", "LO", "SH", "DA", "TM", "ST", "LT", "PN"):
        values = [
            pick(rng, [*NASTY_NUMBERS, *NASTY_TEXTS[:8]])[:2000]
            for _ in range(int(rng.integers(1, 4)))
        ]
        d[element.tag] = pydicom.dataelem.RawDataElement(
            element.tag,
            element.VR,
            None,
            "\\".join(values).encode("utf-8", "replace"),
            0,
            True,
            True,
        )
    elif element.VR in ("US", "SS", "UL", "SL"):
        top = (
            2 ** (16 if element.VR in ("US", "SS") else 32) // (2 if element.VR[0] == "S" else 1)
            - 1
        )
        d[element.tag] = DataElement(element.tag, element.VR, pick(rng, [0, 1, top, [1, 2]]))


def zip_file(data: bytes, rng: Rng) -> bytes:
    """Damage of a zip, or of a file in it; names that lead elsewhere."""
    if rng.random() < 0.5:
        return any_bytes(data, rng)
    out = BytesIO()
    with (
        zipfile.ZipFile(BytesIO(data)) as whole,
        zipfile.ZipFile(out, "w", pick(rng, [0, 8, 12, 14])) as archive,
    ):
        names = whole.namelist()
        hit = pick(rng, names)
        for name in names:
            content = whole.read(name)
            called = (
                pick(rng, ["../x", "/x", "a" * 300, "\u202e.dcm", "x\0y", ""])
                if rng.random() < 0.02
                else name
            )
            archive.writestr(called or "-", dicom_file(content, rng) if name == hit else content)
    return out.getvalue()
