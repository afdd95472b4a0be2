"""The built-in turntable: the same pictures everywhere, exact masks, whole or not there at all."""

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from trainer.data.layouts import open_collection
from turntable.dataset import TurntableSettings, ensure_turntable
from turntable.materials import Finish, Material, table
from turntable.picture import Scene, View, draw, random_scene, random_view
from turntable.styles import STYLES

SMALL = {"objects": 3, "views": 2, "height": 64, "width": 96}


@pytest.fixture(scope="module")
def turntable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_turntable(tmp_path_factory.mktemp("data") / "turntable", **SMALL)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def digest(folder: Path) -> str:
    """Hash what the files decode to, since their bytes depend on the compression library."""
    total = hashlib.sha256()
    for path in sorted(folder.glob("*/*.png")):
        total.update(path.relative_to(folder).as_posix().encode())
        total.update(pixels(path).tobytes())
    return total.hexdigest()


def in_another_process(folder: Path, **environment: str) -> subprocess.Popen[str]:
    """Start a process that asks for the small turntable and prints how often it drew."""
    program = (
        "import json, sys; from pathlib import Path;"
        "from turntable.dataset import ensure_turntable; drawn = [];"
        "ensure_turntable(Path(sys.argv[1]), **json.loads(sys.argv[2]),"
        "                 progress=lambda done, total: drawn.append(done));"
        "print(len(drawn))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder), json.dumps(SMALL)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def scene_and_view(style: str, seed: int) -> tuple[Scene, View]:
    """Return a car that nothing hides, seen from somewhere."""
    rng = np.random.default_rng(seed)
    scene = random_scene(rng, style)
    scene = replace(scene, studio=replace(scene.studio, props=None))
    return scene, random_view(rng, scene, rng.random(), 80, 120)


def test_default_is_a_few_hundred_pairs() -> None:
    names = TurntableSettings().names()
    assert len(names) == len(set(names)) == 336
    assert names[0] == "car001_01.png"


def test_images_are_rgb_and_masks_are_indices(turntable: Path) -> None:
    names = TurntableSettings(**SMALL).names()
    assert sorted(path.name for path in (turntable / "images").iterdir()) == names
    assert sorted(path.name for path in (turntable / "masks").iterdir()) == names
    for name in names:
        with Image.open(turntable / "images" / name) as image:
            assert image.mode == "RGB"
            assert image.size == (96, 64)
            assert np.asarray(image).std() > 10
        with Image.open(turntable / "masks" / name) as mask:
            assert mask.mode == "P"
            assert mask.getpalette()[:6] == [0, 0, 0, 230, 159, 0]
            indices = np.asarray(mask)
        assert set(np.unique(indices)) == {0, 1}
        assert 0.04 < indices.mean() < 0.6


def test_layout_groups_the_views_of_an_object(turntable: Path) -> None:
    collection = open_collection(turntable)
    assert collection.layout == "turntable"
    assert [info.name for info in collection.classes] == ["background", "car"]
    assert len(collection.pairs) == 6
    groups = {pair.group: 0 for pair in collection.pairs}
    for pair in collection.pairs:
        groups[pair.group] += 1
    assert groups == {"car001": 2, "car002": 2, "car003": 2}


def test_other_process_without_vector_instructions_draws_the_same(
    turntable: Path, tmp_path: Path
) -> None:
    umath = pytest.importorskip("numpy._core._multiarray_umath")
    wide = [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]
    process = in_another_process(tmp_path / "plain", NPY_DISABLE_CPU_FEATURES=" ".join(wide))
    assert process.wait(120) == 0
    assert digest(tmp_path / "plain") == digest(turntable)


def test_an_object_does_not_depend_on_how_many_there_are(turntable: Path, tmp_path: Path) -> None:
    one = ensure_turntable(tmp_path / "one", **{**SMALL, "objects": 1})
    for folder in ("images", "masks", "unseen"):
        for path in (one / folder).iterdir():
            assert np.array_equal(pixels(path), pixels(turntable / folder / path.name))


def test_other_seed_draws_other_pictures_in_the_same_folder(tmp_path: Path) -> None:
    folder = ensure_turntable(tmp_path / "data", **{**SMALL, "objects": 1})
    first = digest(folder)
    ensure_turntable(folder, **{**SMALL, "objects": 1, "seed": 8})
    assert digest(folder) != first
    assert json.loads((folder / "turntable.json").read_text())["seed"] == 8


@pytest.mark.parametrize("style", STYLES)
def test_mask_is_the_outline_that_pillow_fills(style: str) -> None:
    """Fill every projected triangle at 8 times the size: another rasteriser, no depth, no code."""
    scene, view = scene_and_view(style, seed=5)
    _, mask = draw(scene, view, np.random.default_rng(0))
    screen = view.camera.project(scene.mesh.moved(turn=view.heading).positions)[:, :2] * 8
    canvas = Image.new("L", (120 * 8, 80 * 8))
    pen = ImageDraw.Draw(canvas)
    for triangle in scene.mesh.triangles:
        pen.polygon([tuple(screen[corner]) for corner in triangle], fill=1)
    coverage = np.asarray(canvas).reshape(80, 8, 120, 8).mean((1, 3))
    # Pillow's polygons include their border, so an edge pixel may differ; whole pixels may not.
    assert mask[coverage > 0.85].all()
    assert not mask[coverage < 0.3].any()
    different = np.count_nonzero((coverage > 0.5) != mask)
    assert different < 0.02 * mask.sum()


@pytest.mark.parametrize("seed", range(3))
def test_mask_lies_on_the_car_in_the_image(seed: int) -> None:
    """Where only the car gives light, the bright pixels are the mask."""
    scene, view = scene_and_view("sedan", seed)
    glowing = dict.fromkeys(Material, Finish(scatter=(0, 0, 0), mirror=0.0, glow=0.5))
    dark = replace(scene.studio, key_colour=(0, 0, 0), ambient=(0, 0, 0), softboxes=(), gloss=0.0)
    scene = replace(scene, finishes=table(glowing), studio=dark)
    view = replace(view, blur=0.0, noise=0.0, vignette=0.0, exposure=1.0)
    image, mask = draw(scene, view, np.random.default_rng(0))
    full = image[mask == 1].min()
    assert full > 100
    assert np.array_equal(image[..., 0] >= full, mask == 1)


def test_what_stands_before_the_car_is_not_car() -> None:
    scene, view = scene_and_view("van", seed=1)
    _, free = draw(scene, view, np.random.default_rng(0))
    wall = replace(scene.mesh, materials=np.full_like(scene.mesh.materials, Material.BOARD))
    near = wall.moved(by=(-3.0, 0.0, 0.0))
    hidden = replace(scene, studio=replace(scene.studio, props=near))
    _, mask = draw(hidden, view, np.random.default_rng(0))
    assert not mask[free == 0].any()
    assert mask.sum() < 0.8 * free.sum()


def test_unseen_image_is_of_no_object_in_the_set(turntable: Path) -> None:
    (path,) = (turntable / "unseen").iterdir()
    image = pixels(path)
    assert image.shape == (128, 192, 3)
    mask = pixels(turntable / "unseen_masks" / path.name)
    assert mask.shape == (128, 192)
    assert 0.04 < mask.mean() < 0.6
    smaller = np.asarray(Image.fromarray(image).resize((96, 64))).astype(float)
    for other in (turntable / "images").iterdir():
        assert np.abs(smaller - pixels(other)).mean() > 10


def test_is_drawn_once_by_three_processes(tmp_path: Path, turntable: Path) -> None:
    processes = [in_another_process(tmp_path / "data") for _ in range(3)]
    drawn = [int(process.communicate(timeout=180)[0]) for process in processes]
    assert sorted(drawn) == [0, 0, 3]  # progress is told once an object
    assert digest(tmp_path / "data") == digest(turntable)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".data.lock", "data"]


def test_killed_while_drawing_leaves_nothing_that_looks_whole(
    tmp_path: Path, turntable: Path
) -> None:
    folder = tmp_path / "data"
    process = in_another_process(folder)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".data.drawing-*/new/images/*.png")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not folder.exists()
    assert list(tmp_path.glob(".data.drawing-*"))
    ensure_turntable(folder, **SMALL)
    assert digest(folder) == digest(turntable)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".data.lock", "data"]


@pytest.mark.parametrize("damage", ["missing", "empty", "settings"])
def test_damaged_set_is_drawn_anew(tmp_path: Path, damage: str) -> None:
    settings = {**SMALL, "objects": 1}
    folder = ensure_turntable(tmp_path / "data", **settings)
    before = digest(folder)
    if damage == "missing":
        (folder / "masks" / "car001_02.png").unlink()
    elif damage == "empty":
        (folder / "images" / "car001_01.png").write_bytes(b"")
    else:
        (folder / "turntable.json").write_text("{")
    ensure_turntable(folder, **settings)
    assert digest(folder) == before


def test_complete_set_is_left_alone(turntable: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in turntable.rglob("*")}
    told: list[tuple[int, int]] = []
    ensure_turntable(turntable, **SMALL, progress=lambda *counts: told.append(counts))
    assert told == []
    assert {path: path.stat().st_mtime_ns for path in turntable.rglob("*")} == before


def test_progress_counts_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    ensure_turntable(tmp_path / "d", **SMALL, progress=lambda *counts: told.append(counts))
    assert told == [(2, 6), (4, 6), (6, 6)]


@pytest.mark.parametrize("name", ["thesis.txt", "images/holiday.png", "masks/car001_01.png"])
def test_files_that_were_not_drawn_here_are_not_deleted(tmp_path: Path, name: str) -> None:
    theirs = tmp_path / "data" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine")
    with pytest.raises(ValueError, match=r"which is not the built-in data; give another folder"):
        ensure_turntable(tmp_path / "data", **SMALL)
    assert theirs.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "value"), [("objects", 0), ("views", -1), ("height", 8), ("width", 0), ("seed", -1)]
)
def test_setting_out_of_range_names_itself(tmp_path: Path, name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"^{name}: {value} must lie in"):
        ensure_turntable(tmp_path / "data", **{name: value})
    assert not list(tmp_path.iterdir())
