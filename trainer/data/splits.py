"""Who trains, who validates, who tests.

Official splits are kept as published. Where there is none, groups (a car, a patient) are divided
by a seed, never the images of one group; of images of a class each, every class in its share.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trainer.config import TrainConfig
from trainer.data.collection import Collection, Pair
from trainer.wording import counted

log = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")
Groups = dict[str, list[Pair]]


@dataclass(frozen=True, kw_only=True)
class Splits:
    """The names of the pairs of each split; ``test`` may be empty.

    Raises ``ValueError`` when a name is in two splits.
    """

    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [*self.train, *self.val, *self.test]
        seen: set[str] = set()
        for name in names:
            if name in seen:
                raise ValueError(f"split: {name!r} is listed twice")
            seen.add(name)

    def names(self, split: str) -> tuple[str, ...]:
        """Return the names of ``split``: train, val or test; ``ValueError`` for another."""
        if split not in SPLITS:
            raise ValueError(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
        names: tuple[str, ...] = getattr(self, split)
        return names

    def without(self, left_out: Iterable[str]) -> "Splits":
        """Return the splits with some names left out of whichever they are in."""
        gone = set(left_out)
        kept = {split: tuple(n for n in self.names(split) if n not in gone) for split in SPLITS}
        return Splits(**kept)

    def to_json(self) -> dict[str, list[str]]:
        """Return what `from_json` reads: a list of names for each split."""
        return {split: list(self.names(split)) for split in SPLITS}

    @staticmethod
    def from_json(splits: Mapping[str, Any]) -> "Splits":
        """Return the splits that `to_json` wrote; ``ValueError`` when it is none."""
        try:
            return Splits(**{split: tuple(str(n) for n in splits[split]) for split in SPLITS})
        except (KeyError, TypeError) as error:
            raise ValueError("split: wants a list of names for each of train, val, test") from error


def make_splits(collection: Collection, config: TrainConfig) -> Splits:
    """Divide the pairs as ``config`` asks (fractions, folds, fraction, split_seed).

    The same collection and seed always give the same splits, whatever the order of the pairs.
    With folds, whatever is not the test split is divided by group into folds, and ``fold``
    validates. Raises ``ValueError`` when there are too few groups for what is asked, and when
    there are test images alone.
    """
    pairs = sorted(collection.pairs, key=lambda pair: pair.name)
    if not pairs:
        raise ValueError(f"data: {collection.root} holds no pair of image and mask to train on")
    official = {split: [p for p in pairs if p.split == split] for split in SPLITS}
    if official["train"] and (official["val"] or official["test"]):
        splits = _official(collection, official, config)
    elif len(official["test"]) == len(pairs):
        raise ValueError(
            f"split: all {counted(len(pairs), 'pair')} are test images, which are never trained "
            "on; name their own folder as --data, or divide them with --split-file"
        )
    else:
        splits = _seeded(_by_group(official["train"] or pairs), config)
    if official["train"]:
        _report_unlisted(pairs)
    return _reduced(splits, pairs, config)


def leaking_groups(collection: Collection, splits: Splits) -> list[str]:
    """Return the groups that have images in more than one split, sorted."""
    group_of = {pair.name: pair.group for pair in collection.pairs}
    splits_of: dict[str, set[str]] = {}
    for split in SPLITS:
        for name in splits.names(split):
            splits_of.setdefault(group_of[name], set()).add(split)
    return sorted(group for group, found in splits_of.items() if len(found) > 1)


def duplicates_across(splits: Splits, content: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return names of equal images in different splits, as (the one to drop, the one to keep).

    ``content`` holds a hash of each image's pixels. Test is kept before validation and
    validation before training, since only what is trained on spoils the other splits.
    """
    kept: dict[str, tuple[str, str]] = {}
    found = []
    for split in reversed(SPLITS):
        for name in splits.names(split):
            first = kept.setdefault(content[name], (name, split))
            if first[1] != split:
                found.append((name, first[0]))
    return sorted(found)


def join_duplicates(collection: Collection, content: Mapping[str, str]) -> Collection:
    """Return the collection with equal images in one group, so that no split divides them.

    ``content`` holds a hash of each image's pixels. Groups that share an image become one, under
    the name that sorts first.
    """
    first_with: dict[str, str] = {}
    merged: dict[str, str] = {}

    def root(group: str) -> str:
        while group in merged:
            group = merged[group]
        return group

    for pair in collection.pairs:
        group, other = root(pair.group), root(first_with.setdefault(content[pair.name], pair.group))
        if group != other:
            merged[max(group, other)] = min(group, other)
    if not merged:
        return collection
    pairs = tuple(replace(pair, group=root(pair.group)) for pair in collection.pairs)
    return replace(collection, pairs=pairs)


def _official(
    collection: Collection, official: dict[str, list[Pair]], config: TrainConfig
) -> Splits:
    train, val, test = (official[split] for split in SPLITS)
    if config.folds:
        training, validation = _fold(_by_group([*train, *val]), config)
        splits = Splits(train=training, val=validation, test=_names(test))
    elif val:
        splits = Splits(train=_names(train), val=_names(val), test=_names(test))
    elif len(groups := _by_group(train)) > 1:
        chosen = _blended(groups, config.split_seed)
        count = _share(len(chosen), config.val_fraction, len(chosen) - 1)
        splits = Splits(
            train=_members(groups, chosen[count:]),
            val=_members(groups, chosen[:count]),
            test=_names(test),
        )
    else:
        log.warning("one training group alone: the official test split validates, none tests")
        splits = Splits(train=_names(train), val=_names(test))
    if leaks := leaking_groups(collection, splits):
        log.warning(
            "the official split divides %s, such as %s",
            counted(len(leaks), "group"),
            ", ".join(leaks[:3]),
        )
    return splits


def _seeded(groups: Groups, config: TrainConfig) -> Splits:
    if len(groups) < 2:
        (group,) = groups
        raise ValueError(
            f"split: one group, {group!r}, has all of {counted(len(groups[group]), 'image')}, so "
            "nothing is left to validate on; add data, or give --group-by a pattern with several "
            "groups"
        )
    order = _blended(groups, config.split_seed)
    most = len(order) - max(2, config.folds or 2)
    tests = _share(len(order), config.test_fraction, most) if config.test_fraction else 0
    test, rest = order[:tests], order[tests:]
    if config.folds:
        training, validation = _fold({group: groups[group] for group in rest}, config)
        return Splits(train=training, val=validation, test=_members(groups, test))
    vals = _share(len(order), config.val_fraction, len(rest) - 1)
    return Splits(
        train=_members(groups, rest[vals:]),
        val=_members(groups, rest[:vals]),
        test=_members(groups, test),
    )


def _fold(groups: Groups, config: TrainConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names that train and those that validate in fold ``config.fold``."""
    assert config.folds
    if len(groups) < config.folds:
        raise ValueError(
            f"folds: {config.folds} is more than the {counted(len(groups), 'group')}; "
            "give at most that many"
        )
    order = sorted(_shuffled(groups, config.split_seed), key=lambda name: _class(groups[name]))
    validating = set(order[config.fold :: config.folds])
    training = [group for group in order if group not in validating]
    return _members(groups, training), _members(groups, validating)


def _reduced(splits: Splits, pairs: Iterable[Pair], config: TrainConfig) -> Splits:
    """Keep ``config.fraction`` of the training images: whole groups, but for the last one.

    A smaller fraction is always a part of a larger one.
    """
    if config.fraction == 1:
        return splits
    learnt = set(splits.train)
    groups = _by_group(pair for pair in pairs if pair.name in learnt)
    wanted = max(1, round(config.fraction * len(learnt)))
    ordered = [p.name for group in _blended(groups, config.split_seed) for p in groups[group]]
    return Splits(train=tuple(sorted(ordered[:wanted])), val=splits.val, test=splits.test)


def _share(total: int, fraction: float, most: int) -> int:
    """Return ``fraction`` of ``total``, at least one, but no more than ``most``."""
    return max(0, min(max(1, round(fraction * total)), most))


def _shuffled(groups: Iterable[str], seed: int) -> list[str]:
    names = sorted(groups)
    return [names[i] for i in np.random.default_rng(seed).permutation(len(names))]


def _blended(groups: Groups, seed: int) -> list[str]:
    """Return the groups shuffled, with those of each class spread evenly from first to last.

    So that however many are taken in a row, each class has its share of them.
    """
    order = _shuffled(groups, seed)
    of_class = Counter(_class(groups[name]) for name in order)
    passed: Counter[int] = Counter()
    place = {}
    for name in order:
        own = _class(groups[name])
        place[name] = (passed[own] + 0.5) / of_class[own]
        passed[own] += 1
    return sorted(order, key=place.__getitem__)


def _class(group: list[Pair]) -> int:
    """Return the class that most images of a group are of; one and the same where masks say it."""
    return Counter(-1 if pair.whole is None else pair.whole for pair in group).most_common(1)[0][0]


def _by_group(pairs: Iterable[Pair]) -> Groups:
    groups: Groups = {}
    for pair in pairs:
        groups.setdefault(pair.group, []).append(pair)
    return groups


def _members(groups: Groups, chosen: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(pair.name for group in chosen for pair in groups[group]))


def _names(pairs: Iterable[Pair]) -> tuple[str, ...]:
    return tuple(pair.name for pair in pairs)


def _report_unlisted(pairs: list[Pair]) -> None:
    unlisted = [pair.name for pair in pairs if pair.split is None]
    if unlisted:
        log.warning(
            "%s in no list of the official split and not used, such as %s",
            counted(len(unlisted), "image is", "images are"),
            unlisted[0],
        )
