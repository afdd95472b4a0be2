"""Which pictures files, folders and patterns name, and where what is made of them goes."""

from pathlib import Path

import pytest

from trainer.prediction.inputs import find_pictures


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of pictures and other files, two floors deep, and stand beside it."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.jpg", "a.PNG", "notes.txt", ".DS_Store", "day 1/a.tif", "day 1/._a.tif"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in ("day 1/deep/c.v2.png", "day 1/deep/log.csv", ".hidden/x.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return Path("photos")


def places(*given: str | Path, out: str = "out") -> tuple[dict[str, str], int]:
    found = find_pictures([Path(path) for path in given], Path(out))
    return {str(p.path): p.place.as_posix() for p in found.pictures}, found.skipped


EVERYTHING = {
    "photos/a.PNG": "a",
    "photos/b.jpg": "b",
    "photos/day 1/a.tif": "day 1/a",
    "photos/day 1/deep/c.v2.png": "day 1/deep/c.v2",
}


def test_a_folder_is_all_that_is_below_it_and_keeps_its_sub_folders(photos: Path) -> None:
    assert places(photos) == (EVERYTHING, 2)


@pytest.mark.parametrize("out", ["photos/masks", "photos/day 1/deep/masks"])
@pytest.mark.parametrize("given", ["photos", "photos/**/*", "photos/*"])
def test_what_was_written_inside_the_folder_is_not_predicted_again(
    photos: Path, out: str, given: str
) -> None:
    (Path(out) / "day 1").mkdir(parents=True)
    (Path(out) / "day 1" / "a.png").touch()
    assert places(given, out=out) == (EVERYTHING, 2)


def test_patterns_that_no_shell_has_expanded(photos: Path) -> None:
    assert places("photos/*.jpg") == ({"photos/b.jpg": "b"}, 0)
    deep = {path: place for path, place in EVERYTHING.items() if path.endswith(("tif", "png"))}
    assert places("photos/day*/**/*.[tp]*")[0] == deep
    assert places("photos/day ?/a.*")[0] == {"photos/day 1/a.tif": "day 1/a"}


def test_a_name_that_looks_like_a_pattern_is_a_name(photos: Path) -> None:
    (photos / "[1].png").touch()
    assert places("photos/[1].png")[0] == {"photos/[1].png": "[1]"}


def test_each_picture_is_meant_once_and_files_lose_their_folders(photos: Path) -> None:
    named = places("photos/day 1/a.tif", "photos/day 1", "photos/day 1/*.tif", "photos/notes.txt")
    assert named[0] == {
        "photos/day 1/a.tif": "a",
        "photos/day 1/deep/c.v2.png": "deep/c.v2",
        "photos/notes.txt": "notes",  # It was asked for, and what it is shows when it is read.
    }


def test_several_folders_keep_their_names(photos: Path) -> None:
    (Path("more") / "b.jpg").parent.mkdir()
    Path("more/b.jpg").touch()
    found, _ = places(photos, "more")
    assert found["photos/b.jpg"] == "photos/b"
    assert found["more/b.jpg"] == "more/b"


def test_two_names_of_one_file_are_two_pictures(photos: Path) -> None:
    kept = Path("store")
    kept.mkdir()
    (kept / "0f3a").touch()
    for name in ("c.jpg", "d.jpg"):
        (photos / name).symlink_to((kept / "0f3a").resolve())
    linked = {"photos/c.jpg": "c", "photos/d.jpg": "d"}
    assert places(photos) == (EVERYTHING | linked, 2)
    assert places(*linked, photos / "c.jpg") == (linked, 0)


def test_links_that_lead_in_a_circle_end(photos: Path) -> None:
    (photos / "day 1" / "up").symlink_to(photos.resolve(), target_is_directory=True)
    assert places(photos) == (EVERYTHING, 2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("photos/no.png", "images: photos/no.png does not exist"),
        ("photos/*.bmp", r"images: photos/\*.bmp holds no image$"),
        ("empty", "images: empty holds no image$"),
        ("texts", "images: texts holds no image; its 1 files are none"),
        ("photos/*/../../a.png", r"holds no image$"),
    ],
)
def test_what_holds_no_picture_is_refused(photos: Path, given: str, said: str) -> None:
    Path("empty").mkdir()
    Path("texts").mkdir()
    Path("texts/a.txt").touch()
    Path("a.png").touch()
    with pytest.raises(ValueError, match=said):
        places(given)


@pytest.mark.parametrize("given", ["photos", "photos/", "./photos/day 1/.."])
def test_the_folder_of_the_images_is_not_written_into(photos: Path, given: str) -> None:
    with pytest.raises(ValueError, match="out: photos is the folder of the images"):
        places(given, out="photos")


@pytest.mark.parametrize("given", [".", "..", "photos/.."])
def test_no_way_of_writing_a_folder_leads_out_of_the_output(
    photos: Path, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if given == "..":
        monkeypatch.chdir(photos)
    Path("other").mkdir()
    Path("other/z.png").touch()
    found, _ = places(given, "other", out="out")
    assert found and not any(place.startswith(("..", "/")) for place in found.values())
