"""How files of models and codes that are damaged or made up are refused.

A file of a model, of a Pipeline and of codes each gets one bit flipped at 1,000 random
places, one after the other, and is cut off at 100. Every load has to raise a
ValueError; *equal* counts those that load and answer as before, *different* the rest,
which must not be.

Then come files whose checksum is right but whose content somebody made up: sizes that
no memory has, names of paths, JSON that never ends. Each is to be refused in less than
a second (of one core) and with less than 100 MB beside what the process has already.

Run ``python benchmarks/model_files.py``; it needs no data, but Linux for the memory.
"""

import argparse
import hashlib
import io
import json
import pathlib
import pickle
import tempfile
import time
import zipfile

import _common
import _record
import numpy as np
from sklearn.datasets import load_digits
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler

from sklearn_sparsevae import (
    VQVAE,
    CodePrior,
    KMeansSegmenter,
    SparseCodes,
    SparseCodingVAE,
    _container,
    load,
    save,
)

N_FLIPS, N_CUTS = 1000, 100
HUGE = 2**60


# ---- damage -------------------------------------------------------------------------


def damage(path, read, answer, n_flips, n_cuts):
    """Count what becomes of a file with one flipped bit, and of one that is cut off.

    ``read`` opens it, ``answer`` says of what it holds what is to be equal.
    """
    raw, expected = path.read_bytes(), answer(read(path))
    rng = np.random.RandomState(_common.SEED)
    counts = dict.fromkeys(("refused", "equal", "different", "cuts_refused"), 0)
    broken = path.with_suffix(".broken")
    for place in rng.choice(8 * len(raw), n_flips, replace=False):
        flipped = bytearray(raw)
        flipped[place // 8] ^= 1 << place % 8
        broken.write_bytes(flipped)
        try:
            found = answer(read(broken))
        except ValueError:
            counts["refused"] += 1
        else:
            same = np.array_equal(found, expected)
            counts["equal" if same else "different"] += 1
    for stop in rng.choice(len(raw), n_cuts, replace=False):
        broken.write_bytes(raw[:stop])
        try:
            read(broken)
        except ValueError:
            counts["cuts_refused"] += 1
    return {"bytes": len(raw), "flips": n_flips, "cuts": n_cuts, **counts}


# ---- files that somebody made up ----------------------------------------------------


def signed(header, data=b""):
    """Bytes of a file with this text as its header, and the checksum of both."""
    header = header.encode() if isinstance(header, str) else header
    header += b" " * (-len(header) % 8)
    raw = len(header).to_bytes(8, "little") + header + data
    empty, zeros = b'"checksum":""', b"0" * 64
    raw = raw.replace(empty, b'"checksum":"' + zeros + b'"', 1)
    raw = (len(raw) - 8 - len(data)).to_bytes(8, "little") + raw[8:]
    return raw.replace(zeros, hashlib.sha256(raw).hexdigest().encode(), 1)


def header(*tensors, content="{}"):
    """Text of a header with tensors as JSON."""
    own = {"checksum": "", "format": "sklearn-sparsevae", "version": "1"}
    own |= {"kind": "model", "content": content}
    start = json.dumps({"__metadata__": own}, separators=(",", ":"))[:-1]
    text = ",".join([start, *tensors]) + "}"
    return text + " " * ((-len(text) - 64) % 8)  # with the checksum


def tensor(name, shape, start, stop):
    """One entry of a header."""
    told = {"dtype": "F32", "shape": shape, "data_offsets": [start, stop]}
    return f"{json.dumps(name)}:{json.dumps(told)}"


def made_up(models):
    """Pairs of what is wrong and the bytes of the file, or a function of its path."""
    eight = b"\0" * 8
    deep = "[" * 250_000 + "]" * 250_000
    wide = f'{{"a":[{",".join(["{}"] * 300_000)}]}}'
    yield "a tensor of 2**60 numbers", signed(header(tensor("a", [HUGE], 0, 8)), eight)
    yield (
        "offsets of 2**62",
        signed(header(tensor("a", [HUGE], 0, 4 * HUGE)), eight),
    )
    yield "a header of 2**60 bytes", HUGE.to_bytes(8, "little") + eight
    name = "../../../etc/passwd"
    yield "a name that is a path", signed(header(tensor(name, [2], 0, 8)), eight)
    twice = [tensor("a", [2], 0, 8), tensor("a", [2], 0, 8)]
    yield "the same name twice", signed(header(*twice), eight)
    yield "two tensors in one place", signed(header(*twice).replace('"a"', '"b"', 1))
    yield "JSON of 250,000 levels", signed(header(f'"a":{deep}'))
    yield "content of 250,000 levels", signed(header(content=deep))
    yield "300,000 empty objects", signed(header(content=wide))
    yield "an integer of 900,000 digits", signed(header(content="9" * 900_000))
    yield "a pickle", pickle.dumps(models["model"])
    sizes = {
        "2**60 atoms": {"n_components": HUGE},
        "50,000 atoms by 50,000": {
            **{"n_components": 50_000, "coupled": False, "shrinkage": "soft"}
        },
        "2**60 channels of a network": {"backbone_params": {"dict": [["width", HUGE]]}},
        "60,000 blocks": {
            "backbone_params": {"dict": [["width", 1], ["n_blocks", 60_000]]}
        },
        "sites of 256 pixels": {"n_downsamples": 8},
        "2**60 steps": {"n_rollout_steps": HUGE, "shrinkage": "soft"},
    }
    for what, changed in sizes.items():
        yield what, _with_parameters(models["model"], changed)
    yield "60,000 layers", _with_parameters(models["prior"], {"n_layers": 60_000})
    yield "a zip bomb of 3 GB in a step", _with_bomb(models["pipeline"])


def _with_parameters(model, changed):
    """File of a model whose network is said to be built of other parameters."""

    def write(path):
        save(model, path)
        tensors, content = _container.read(path, "model")
        pairs = content["model"]["fitted"]["_net_params_"]["dict"]
        pairs[:] = [p for p in pairs if p[0] not in changed]
        pairs += [[name, value] for name, value in changed.items()]
        _container.write(path, "model", tensors, content)

    return write


def _with_bomb(model):
    """File of a Pipeline one step of which has a matrix that unfolds to 3 GB."""

    def write(path):
        save(model, path)
        tensors, content = _container.read(path, "model")
        told = content["model"]["steps"][1][1]["skops"]
        raw = io.BytesIO()
        with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as inner:
            with inner.open("data.npy", "w", force_zip64=True) as member:
                for _ in range(3000):
                    member.write(bytes(10**6))
        outer = io.BytesIO(tensors[told["array"]].tobytes())
        with zipfile.ZipFile(outer, "a") as archive:
            archive.writestr("bomb.npz", raw.getvalue())
        data = np.frombuffer(outer.getvalue(), np.uint8)
        tensors[told["array"]], told["shape"] = data, [len(data)]
        _container.write(path, "model", tensors, content)

    return write


def refusal(path):
    """Row of a file that is to be refused: the time, the memory, and whether it is."""
    before = _memory("VmRSS", reset=True)
    start = time.process_time()
    try:
        load(path)
        said = None
    except ValueError as error:
        said = str(error)
    seconds = time.process_time() - start
    megabytes = max(0.0, _memory("VmHWM") - before) / 1e6
    row = {"seconds": seconds, "megabytes": megabytes, "refused": int(said is not None)}
    return {**row, "said": str(said).replace(str(path), path.name)}


def _memory(name, reset=False):
    """Bytes that the process has, or had at most since the last reset."""
    if reset:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"no {name} in /proc/self/status")


# ---- all of it ----------------------------------------------------------------------


def fitted_models(images):
    """Small models, by name."""
    small = {"n_components": 32, "max_epochs": 1, "random_state": _common.SEED}
    small |= {"backbone_params": {"width": 8}}
    model = SparseCodingVAE(n_downsamples=2, **small).fit(images)
    segmenter = KMeansSegmenter(scope="dataset", random_state=_common.SEED)
    steps = [("enc", VQVAE(**small)), ("scale", MaxAbsScaler())]
    steps.append(("again", KMeansSegmenter(grid_shape=(2, 2), random_state=0)))
    own = Pipeline([("enc", VQVAE(**small)), ("seg", segmenter)])
    codes = model.transform(images)
    prior = CodePrior(width=8, n_layers=1, max_epochs=1, random_state=_common.SEED)
    return {
        "model": model,
        "own": own.fit(images),
        "pipeline": Pipeline(steps).fit(images),
        "prior": prior.fit(codes),
        "codes": codes,
    }


def main():
    """Damage, make up, count, print, write."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--flips", type=_common.positive, default=N_FLIPS)
    options.add_argument("--cuts", type=_common.positive, default=N_CUTS)
    _common.add_common(options, "model_files.json")
    args = options.parse_args()
    images = load_digits().images[:200] / 16
    models = fitted_models(images)
    few = images[:20]
    kinds = {
        "model": ("`SparseCodingVAE`", load, lambda m: m.reconstruct(few)),
        "own": ("Pipeline with a segmenter", load, lambda m: m.predict(few)),
        "pipeline": ("Pipeline with `MaxAbsScaler`", load, lambda m: m.predict(few)),
        "codes": ("codes", SparseCodes.load, lambda c: c.toarray()),
    }
    damaged, crafted = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "file")
        for name, (label, read, answer) in kinds.items():
            if name == "codes":
                models["codes"].save(path)
            else:
                save(models[name], path)
            row = damage(path, read, answer, args.flips, args.cuts)
            damaged.append({"label": label, "key": name, **row})
            print(damaged[-1], flush=True)
        for what, content in made_up(models):
            if callable(content):
                content(path)
            else:
                path.write_bytes(content)
            size = path.stat().st_size / 1e3
            crafted.append({"label": what, "kilobytes": size, **refusal(path)})
            print(crafted[-1], flush=True)
    flips = {k: sum(row[k] for row in damaged) for k in ("flips", "refused", "cuts")}
    goals = [
        _common.verdict(
            f"{flips['refused']} of {flips['flips']} flips refused",
            all(not row["different"] for row in damaged),
        ),
        _common.verdict(
            "all cut off files refused",
            all(row["cuts_refused"] == row["cuts"] for row in damaged),
        ),
        _common.verdict(
            "all made up files refused in less than 1 s and 100 MB",
            all(
                row["refused"] and row["seconds"] < 1 and row["megabytes"] < 100
                for row in crafted
            ),
        ),
    ]
    _common.write_json(
        args.json, {"damaged": damaged, "made_up": crafted, "goals": goals}
    )
    of_damage = _record.columns(
        bytes=("bytes", ".0f"),
        flips=("flips", ".0f"),
        refused=("refused", ".0f"),
        equal=("equal", ".0f"),
        different=("different", ".0f"),
        cuts=("cut off", ".0f"),
        cuts_refused=("cut off, refused", ".0f"),
    )
    of_crafted = _record.columns(
        kilobytes=("KB", ".1f"),
        seconds=("seconds", ".3f"),
        megabytes=("MB", ".1f"),
        refused=("refused", ".0f"),
    )
    tables = {
        "damaged": _record.table("file", of_damage, damaged),
        "made_up": _record.table("what is wrong", of_crafted, crafted),
    }
    settings = {"images": "200 digits of scikit-learn", "n_components": 32}
    _record.record(args, "model_files", tables=tables, settings=settings)


if __name__ == "__main__":
    main()
