"""What somebody says that the values of a mask mean, where the mask itself does not say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.errors import LabelError
from monai_ich.core.labels import EdemaMask, Hemorrhage, LabelSet, Subtype

NOT_BLOOD = 0


@dataclass(frozen=True)
class LabelMeaning:
    """Values of a mask to subtypes.

    Args:
        values: value in the mask to what it means, or to `NOT_BLOOD`.
        only: what the one value of a mask that holds no other means; None where `values` says it.
        edema: those of `values` that are edema around the clots, which is no blood.

    >>> LabelMeaning(only=Subtype.SDH).of([0, 255])
    {255: <Subtype.SDH: 5>}
    >>> LabelMeaning({1: Subtype.SDH, 2: NOT_BLOOD}).of([0, 1])
    {1: <Subtype.SDH: 5>}
    """

    values: Mapping[int, int] | None = None
    only: int | None = None
    edema: frozenset[int] = frozenset()

    @classmethod
    def of_blood(cls, values: Mapping[int, int], edema: frozenset[int] = frozenset()) -> Self:
        """From values to subtypes, `Hemorrhage.ANY` or `NOT_BLOOD`; one `ANY` makes all blood so.

        >>> LabelMeaning.of_blood({1: Subtype.SDH, 2: Hemorrhage.ANY, 3: NOT_BLOOD}).of([1, 3])
        {1: <Hemorrhage.ANY: 7>, 3: 0}
        """
        if Hemorrhage.ANY not in values.values():
            return cls(values, edema=edema)
        every = {v: Hemorrhage.ANY if means else NOT_BLOOD for v, means in values.items()}
        return cls(every, edema=edema)

    @property
    def labels(self) -> LabelSet:
        """What blood is told apart: `Subtype`, or `Hemorrhage` where the mask does not tell."""
        means = (self.values or {}).values() if self.only is None else (self.only,)
        return Hemorrhage if Hemorrhage.ANY in means else Subtype

    @property
    def of_edema(self) -> LabelMeaning | None:
        """What the same mask says of edema, in the values of `EdemaMask`; None for nothing.

        >>> LabelMeaning({1: Subtype.IPH, 2: NOT_BLOOD}, edema=frozenset({2})).of_edema.of([1, 2])
        {1: 0, 2: <EdemaMask.EDEMA: 1>}
        """
        if not self.edema:
            return None
        rest = dict.fromkeys(range(1, 256), NOT_BLOOD)
        return LabelMeaning({**rest, **dict.fromkeys(self.edema, EdemaMask.EDEMA)})

    def says(self, value: int) -> int | None:
        """What one value means; None where nothing is said of it."""
        return self.only if self.only is not None else (self.values or {}).get(value)

    def of(self, found: list[int]) -> dict[int, int]:
        """Each value that was found to its meaning; background means nothing.

        Raises:
            LabelError: ``UNKNOWN_LABEL`` for values that nothing is said of, or several where only
                one is.
        """
        there = [value for value in found if value]
        if self.only is not None:
            if len(there) > 1:
                raise LabelError(
                    "UNKNOWN_LABEL",
                    f"One meaning was given, but the mask holds the values {there[:5]}: "
                    "say what each means, for example --labels-are 1=SDH,2=IPH,3=ignore.",
                )
            return dict.fromkeys(there, self.only)
        known = self.values or {}
        unsaid = [value for value in there if value not in known]
        if unsaid:
            raise LabelError(
                "UNKNOWN_LABEL",
                f"The mask holds {unsaid[:5]}, of which --labels-are says nothing: add what each "
                "value means, for "
                f"example {unsaid[0]}=ignore.",
            )
        return {value: known[value] for value in there}

    def translate(self, voxels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A mask in the values of its meanings.

        Raises:
            LabelError: as `of`.
        """
        table = np.zeros(256, np.uint8)
        for value, means in self.of(np.unique(voxels).tolist()).items():
            table[value] = means
        return np.asarray(table[voxels])


OUR_NUMBERS = LabelMeaning({int(subtype): int(subtype) for subtype in Subtype})


def require_subtypes(meaning: LabelMeaning | None) -> None:
    """Refuse a mask that does not tell subtypes apart, where its segments must be named.

    Raises:
        LabelError: ``UNKNOWN_MEANING``.
    """
    if meaning is not None and meaning.labels is Hemorrhage:
        raise LabelError(
            "UNKNOWN_MEANING",
            "What is written here names subtypes, and blood of any subtype has none: say which it "
            "is, as in --labels-are SDH, or only measure it.",
        )
