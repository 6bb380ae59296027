"""What `pip install` gives: the package whole, with sample data, sample mapping, worlds and templates."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import etl
from etl.cli import samples

ROOT = Path(etl.__file__).parents[1]
SAMPLES = sorted(path.name for path in (ROOT / "sample_data").iterdir() if path.is_file() and path.suffix != ".py")
MAPPINGS = sorted(path.name for path in (ROOT / "mappings").iterdir() if path.is_file())


def test_the_samples_are_those_of_the_repository(tmp_path: Path) -> None:
    """Laid out from a work tree, they are its own files, programs left out."""
    made = samples.lay_out(tmp_path / "new")
    assert [path.name for path in made] == [*SAMPLES, *MAPPINGS]
    for path in made:
        assert path.read_bytes() == (ROOT / path.relative_to(tmp_path / "new")).read_bytes()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel; from a copy, since setuptools leaves its own build folder behind."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("etl", "sample_data", "mappings"):
        shutil.copytree(ROOT / name, folder / "tree" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copyfile(ROOT / name, folder / "tree" / name)
    pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", folder, folder / "tree")
    return next(folder.glob("*.whl"))


def pip(*arguments: str | Path) -> None:
    """pip of this environment, which must succeed; no network needed."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    """The wheel unpacked where nothing of the work tree is; the libraries are this environment's."""
    pip("install", "--no-deps", "--no-index", "--target", tmp_path / "site", wheel)
    return tmp_path / "site"


@pytest.mark.slow
def test_the_wheel_carries_everything(wheel: Path) -> None:
    """Every file of etl/, and each sample once."""
    names = set(zipfile.ZipFile(wheel).namelist())
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "etl").rglob("*") if path.is_file()}
    assert {name for name in files if not name.endswith(".pyc")} <= names
    assert {f"etl/samples/{name}" for name in SAMPLES} <= names
    assert {f"etl/samples/mappings/{name}" for name in MAPPINGS} <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"etl"}


class Home:
    """An empty folder of somebody who installed the wheel."""

    def __init__(self, site: Path, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        path = os.pathsep.join([str(site / "bin"), os.environ["PATH"]])
        self.environment = {**kept, "PATH": path, "PYTHONPATH": str(site), "COLUMNS": "120"}

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """The line as the user's shell runs it."""
        return subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )


@pytest.fixture
def home(installed: Path, tmp_path: Path) -> Home:
    return Home(installed, tmp_path / "empty folder")


@pytest.mark.slow
def test_the_demo_works_in_an_empty_folder(home: Home) -> None:
    """After pip install: exit code 0, and every command that it names at its end does what it says."""
    done = home.run("centra-mews --json demo")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["orders"], document["duplicates"], document["exit_codes"]) == (292, 0, [3, 3, 3, 0, 3])
    assert (home.folder / document["report"]).stat().st_size > 10_000
    assert {path.name for path in home.folder.iterdir()} == {"centra-mews-demo"}
    for step in document["next"]:
        assert f"  {step}\n" in done.stderr
    codes = list(follow(home, document["next"]))
    assert codes == [("inspect", 3), ("run", 3), ("reconcile", 3), ("init", 0)]


def follow(home: Home, steps: list[str]) -> Iterator[tuple[str, int]]:
    """Types the steps one after the other: the first in a terminal of its own, exports for the rest."""
    server = subprocess.Popen(
        shlex.split(steps[0]),
        cwd=home.folder,
        env=home.environment,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    try:
        for step in steps[1:]:
            if step.startswith("export "):
                name, _, value = step.removeprefix("export ").partition("=")
                home.environment[name] = value
                if name == "MEWS_PLATFORM_ADDRESS":
                    wait_for(value)
                continue
            done = home.run(step)
            if "run" in shlex.split(step):
                assert "292" in done.stderr
            yield (
                next(word for word in ("inspect", "run", "reconcile", "init") if word in step.split()),
                done.returncode,
            )
    finally:
        server.terminate()
        server.wait(timeout=20)


def wait_for(address: str) -> None:
    """Until the local Mews answers."""
    for _ in range(100):
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"nothing answers at {address}")


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    """Somebody's own folder of that name is never deleted."""
    (tmp_path / "centra-mews-demo").mkdir()
    (tmp_path / "centra-mews-demo" / "mine.txt").write_text("mine")
    done = subprocess.run(
        [sys.executable, "-m", "etl", "demo"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "was not made by a demo" in done.stderr
    assert "Next: Move" in done.stderr
    assert (tmp_path / "centra-mews-demo" / "mine.txt").read_text() == "mine"
