"""The real sets, read as their READMEs describe them; skipped where they are absent."""

from collections import Counter

import pytest

from trainer.config.reading import Reading
from trainer.data.checking.inspection import inspect

# name: layout, pairs, classes, official split, groups
SETS = {
    "camvid": ("camvid", 48, 11, {"train": 30, "val": 8, "test": 10}, 48),
    "carvana_tiny": ("carvana", 238, 2, None, 238),
    "carvana_480": ("carvana", 856, 2, None, 54),
    "drive": ("drive", 2, 2, {"train": 1, "test": 1}, 2),
    "dsb2018_96": ("dsb2018", 120, 2, None, 120),
    "isbi_membrane": ("isbi", 12, 2, None, 12),
    "kvasir_seg": ("kvasir", 60, 2, None, 60),
    "oxford_pets": ("pets", 30, 2, {"train": 18, "test": 11}, 30),
    "voc2012": ("voc", 70, 21, {"train": 41, "val": 29}, 70),
    "water_bodies": ("voc", 20, 2, {"train": 15, "val": 5}, 20),
}
# name: index of a class and its share of the pixels that count, and the share of void, in percent
SHARES = {
    "camvid": (3, 29, 31, 3.5, 4.5),
    "carvana_tiny": (1, 18, 23, 0, 0),
    "carvana_480": (1, 19, 22, 0, 0),
    "drive": (1, 10, 13, 30, 33),
    "dsb2018_96": (1, 11.5, 13.5, 0, 0),
    "isbi_membrane": (0, 75, 78, 0, 0),
    "kvasir_seg": (1, 16.5, 18, 0, 0),
    "oxford_pets": (1, 25, 30, 9.5, 10.5),
    "voc2012": (0, 60, 75, 6, 7),
    "water_bodies": (1, 8, 90, 0, 0),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n == "carvana_480" else n for n in SETS],
)
def test_a_real_set_is_read_as_described(real_data, name):
    layout, pairs, classes, splits, groups = SETS[name]
    report = inspect(real_data(name)).to_json()
    assert report["layout"] == layout
    assert (report["pairs"], len(report["classes"]), report["groups"]) == (pairs, classes, groups)
    assert report["faults"] == []
    assert report["split"] == ("official" if splits else "by seed and group")
    if splits:
        assert report["splits"] == splits
    index, low, high, least_void, most_void = SHARES[name]
    share = 100 * list(report["class_shares"].values())[index]
    assert low <= share <= high
    assert least_void <= 100 * report["void_share"] <= most_void


@pytest.mark.slow
def test_carvana_at_full_size_is_grouped_by_car(real_data):
    inspection = inspect(real_data("carvana"))
    report = inspection.to_json()
    assert (report["layout"], report["pairs"], report["groups"]) == ("carvana", 124, 13)
    assert report["faults"] == []
    assert report["image_sizes"] == {
        "distinct": 1,
        "smallest": [1280, 1918],
        "largest": [1280, 1918],
    }
    assert 20 <= 100 * report["class_shares"]["car"] <= 22
    views = Counter(pair.group for pair in inspection.collection.pairs)
    assert sorted(views.values()) == [4] * 7 + [16] * 6


def test_pets_border_can_be_a_class(real_data):
    report = inspect(real_data("oxford_pets"), Reading(trimap_border="class")).to_json()
    assert report["classes"] == ["background", "pet", "border"]
    assert report["void_pixels"] == 0
    assert 9.5 <= 100 * report["class_shares"]["border"] <= 10.5


def test_voc_rare_classes_stand_where_the_official_lists_put_them(real_data):
    inspection = inspect(real_data("voc2012"))
    where = {
        index: {
            report.pair.split
            for report in inspection.reports
            if report.class_pixels is not None and report.class_pixels[index]
        }
        for index in (2, 6, 14, 19)
    }
    assert where == {2: {"val"}, 6: {"val"}, 14: {"val"}, 19: {"val"}}
