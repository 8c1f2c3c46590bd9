"""Install each distribution in dist/ into an environment of its own; use it there.

`make dist` runs this file with the interpreter of the checkout; it runs itself again,
as ``check_dist.py --installed``, with those of the fresh environments.
"""

import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
PACKAGE = "sklearn_sparsevae"
# Top-level names that a distribution may hold, beside its own files of metadata.
FILES_OF_SDIST = {
    *("CHANGELOG.md", "CITATION.cff", "LICENSE", "MANIFEST.in", "PKG-INFO"),
    *("README.md", "pyproject.toml", "setup.cfg"),
}


def main():
    """Look into wheel and sdist, install both, and use what is installed."""
    version = PROJECT["version"]
    wheel = ROOT / "dist" / f"{PACKAGE}-{version}-py3-none-any.whl"
    sdist = ROOT / "dist" / f"{PACKAGE}-{version}.tar.gz"
    with zipfile.ZipFile(wheel) as file:
        refuse_others({n.split("/")[0] for n in file.namelist()}, wheel, set())
    with tarfile.open(sdist) as file:
        parts = [pathlib.PurePosixPath(n).parts[1:2] for n in file.getnames()]
        refuse_others({p[0] for p in parts if p}, sdist, FILES_OF_SDIST)
    for path in (wheel, sdist):
        with tempfile.TemporaryDirectory() as folder:
            install_and_use(path, pathlib.Path(folder))
        print(f"{path.name}: installed and used", flush=True)


def refuse_others(names, path, files):
    """Raise where a distribution has files or folders that nobody asked for."""
    own = {PACKAGE, f"{PACKAGE}-{PROJECT['version']}.dist-info", f"{PACKAGE}.egg-info"}
    if names - own - files:
        raise SystemExit(f"{path.name} also holds {sorted(names - own - files)}")


def install_and_use(path, folder):
    """Make an environment, install a distribution and its dependencies, use it."""
    venv.create(folder / "venv", with_pip=True)
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = folder / "venv" / scripts / "python"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pins = ["--constraint", ROOT / "constraints.txt"]
    for arguments in (["setuptools"], ["--no-build-isolation", path]):
        subprocess.run([*pip, *pins, *arguments], check=True, env=environment)
    subprocess.run(
        [python, __file__, "--installed", PROJECT["version"]],
        check=True,
        cwd=folder,
        env=environment,
    )


def use_what_is_installed(version):
    """Import, fit and look around, far from the checkout."""
    from importlib import metadata, resources, util

    import numpy as np

    import sklearn_sparsevae

    place = pathlib.Path(sklearn_sparsevae.__file__)
    expect(ROOT not in place.parents, f"is imported from the checkout: {place}")
    expect(sklearn_sparsevae.__version__ == version, "has another version")
    expect(metadata.version("sklearn-sparsevae") == version, "has other metadata")
    urls = metadata.metadata("sklearn-sparsevae").get_all("Project-URL")
    expect(len(urls) == len(PROJECT["urls"]), "lacks its addresses")
    expect(resources.files(PACKAGE).joinpath("py.typed").is_file(), "has no py.typed")
    expect(util.find_spec("tests") is None, "brings tests along")
    expect(not list(place.parent.rglob("test*")), "has tests inside")
    images = np.random.default_rng(0).random((8, 8, 8), dtype=np.float32)
    model = sklearn_sparsevae.DictionaryLearningVAE(8, max_epochs=1, device="cpu")
    codes = model.fit(images).transform(images)
    expect(model.inverse_transform(codes).shape == images.shape, "does not fit")


def expect(holds, what):
    """Raise unless something holds."""
    if not holds:
        raise SystemExit(f"What was installed {what}.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--installed"]:
        use_what_is_installed(sys.argv[2])
    else:
        main()
