"""The benchmark suite: its arithmetic, its guard, and that contenders do the same."""

import functools
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

ROOT = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def from_the_folder(monkeypatch):
    """Import as the scripts do, from their own folder."""
    monkeypatch.syspath_prepend(str(ROOT))


def figure(*seconds, amount=1):
    from rows._results import Figure

    return Figure("someone", list(seconds), amount)


def result(job="a job", ours=2.0, peer=4.0, limit=1.0):
    from rows._results import Result

    return Result(job, "things/s", figure(ours), (figure(peer),), figure(limit))


def test_a_ratio_is_the_median_of_pairs_of_a_round():
    from rows._results import ratio

    # The machine was ten times slower in the last round, for both.
    assert ratio(figure(1, 2, 10), figure(2, 4, 50)) == 2
    assert ratio(figure(1, 2, 10, amount=3), figure(2, 4, 50)) == 6


def test_ratios_of_one_and_the_other_way_round_cancel(rng):
    from rows._results import ratio

    a, b = (figure(*rng.uniform(1, 2, 5), amount=n) for n in (7, 9))
    assert ratio(a, b) * ratio(b, a) == pytest.approx(1)


def test_the_best_peer_does_most_in_a_second():
    from rows._results import Result

    fast, slow = figure(4, amount=100), figure(1, amount=10)
    assert Result("a job", "things/s", figure(1), (slow, fast)).best_peer is fast


def test_a_job_without_peer_or_limit_has_no_ratio():
    from rows._results import Result

    alone = Result("a job", "s", figure(1))
    assert alone.over_peer is None and alone.over_limit is None


@pytest.mark.parametrize(
    "value, passed", [(0.9, False), (1.0, True), (2.0, True), (2.1, False)]
)
def test_a_check_passes_between_its_bounds(value, passed):
    from rows._results import Check

    check = Check("figure", value, at_least=1, at_most=2)
    assert check.passed is passed
    assert str(check) == f"figure: {value:.3g} (goal: at least 1 and at most 2)"


def test_the_guard_names_what_fell_and_nothing_else():
    import suite

    before = suite.ratios([result(), result("steady"), result("gone")])
    now = suite.ratios([result(ours=4.0), result("steady", ours=2.2), result("new")])
    assert suite.compare(now, before, tolerance=0.3) == [
        "fell: a job, over_peer 1.00, expected 2.00",
        "fell: a job, over_limit 0.25, expected 0.50",
    ]


def test_stored_ratios_are_what_the_guard_reads(tmp_path, capsys):
    import suite

    path = tmp_path / "expected.json"
    stored = {"tolerance": 0.3, "threads": 2, "ratios": suite.ratios([result()])}
    path.write_text(json.dumps(stored))
    suite.report_changes([result()], path, threads=1)
    shown = capsys.readouterr().out
    assert "2 thread(s)" in shown and "No ratio fell" in shown
    suite.report_changes([result(ours=8.0)], path, threads=2)
    shown = capsys.readouterr().out
    assert "thread(s)" not in shown and "fell: a job, over_limit" in shown


def test_the_stored_file_has_ratios_and_a_tolerance():
    stored = json.loads((ROOT / "expected.json").read_text())
    assert 0 < stored["tolerance"] < 1
    assert all(value > 0 for job in stored["ratios"].values() for value in job.values())


def test_a_line_shows_figures_ratios_and_nothing_that_there_is_not():
    import suite
    from rows._results import Result

    shown = suite.line(result(ours=0.001))
    assert "1,000 things/s" in shown and "x 4000.00" in shown
    alone = suite.line(Result("import", "s", figure(0.25)))
    assert alone.split() == ["import", "0.25", "s"]


def test_every_file_is_a_row_and_every_row_a_file():
    import rows

    assert set(rows.QUICK_ROWS) <= set(rows.ROWS)
    files = {path.stem for path in (ROOT / "rows").glob("[a-z]*.py")}
    assert files == set(rows.ROWS) and len(rows.ROWS) == len(files)


class Scripted:
    """Contender whose times are given, and which notes when it is called."""

    amount = 1

    def __init__(self, name, calls):
        self.name, self.calls = name, calls

    def memory(self):
        return None

    def seconds(self):
        self.calls.append(self.name)
        return float(len(self.calls))


def test_contenders_take_turns():
    from rows._contenders import race

    calls = []
    figures = race({name: Scripted(name, calls) for name in "abc"}, n_rounds=2)
    assert calls == list("abcabc")
    assert figures["b"].seconds == [2.0, 5.0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_is_that_of_the_call_alone():
    from rows._contenders import peak_growth

    np.ones(2**24)  # 128 MiB that are free again
    assert 31 < peak_growth(lambda: np.ones(2**22)) < 48


def test_forms_of_lista_give_the_same_codes(monkeypatch):
    from rows import lista

    monkeypatch.setattr(lista, "N_SIGNALS", 8)
    parts = lista.problem(16)
    codes = lista.plain(**parts)
    torch.testing.assert_close(lista.factored(**parts), codes, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(lista.free(**parts), codes, rtol=1e-3, atol=1e-4)


def test_both_conversions_give_the_same_codes(rng):
    from rows import csr

    from sklearn_sparsevae.bottlenecks import CompactCodes

    shape = (1, *csr.SITES, 5)
    order = rng.random((np.prod(csr.SITES), csr.N_ATOMS)).argsort(axis=1)
    indices = torch.from_numpy(order[:, :5].reshape(shape))
    values = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
    indices[0, 0, 0, 3:], values[0, 0, 0, 3:] = -1, 0
    parts = [CompactCodes(indices, values)]
    difference = csr.convert(parts) - csr.convert_dense(parts)
    assert abs(difference).max() == 0


def test_the_bare_loop_trains_as_skorch_does():
    import copy

    from rows import _photos, training

    from sklearn_sparsevae.images import InputSpec
    from sklearn_sparsevae.training.batching import ImageBatches

    images = _photos.crops(8, training.BATCH_SIZE)  # one batch, in whatever order
    net = training.start(training.one_layer, images)
    module = copy.deepcopy(net.module_)
    before = copy.deepcopy(module.state_dict())
    batches = ImageBatches(InputSpec().open(images))
    training.through_skorch(net, batches).run()
    training.Trainer(module).epoch(batches, training.BATCH_SIZE)
    for name, trained in net.module_.state_dict().items():
        assert not torch.equal(trained, before[name])
        torch.testing.assert_close(module.state_dict()[name], trained)


def test_the_batched_embedding_has_the_exact_eigenvectors(rng):
    from rows import gpu, segmentation
    from scipy import sparse
    from scipy.linalg import eigh
    from sklearn.preprocessing import normalize

    rows = rng.standard_normal((2, 30, 6))
    embedded = gpu.embed_batch(torch.from_numpy(rows)).numpy()
    for own, photo in zip(embedded, rows, strict=True):
        weights = segmentation.scene_affinity(sparse.csr_array(normalize(photo)))
        degrees = np.diag(weights.sum(axis=1))
        leading = eigh(weights, degrees)[1][:, -gpu.N_CLUSTERS :]
        # Eigenvectors of D^-1/2 A D^-1/2, up to a factor that each row loses.
        expected = normalize(leading)
        np.testing.assert_allclose(own @ own.T, expected @ expected.T, atol=1e-8)


def test_rows_of_the_gpu_on_the_cpu(monkeypatch):
    from rows import _contenders, gpu

    monkeypatch.setattr(_contenders, "PAUSE", 0)
    once = functools.partial(gpu.race, n_rounds=1)
    monkeypatch.setattr(gpu, "race", once)
    device = torch.device("cpu")
    small = {"width": 32, "side": 8, "n_images": 2, "compile_module": False}
    step = gpu.measure_step(device, **small)
    assert [peer.name for peer in step.peers] == ["float32", "contiguous"]
    pursuit = gpu.measure_omp(device, n_signals=64)
    embedding = gpu.measure_embedding(device, n_photos=1, n_atoms=4)
    for measured in (step, pursuit, embedding):
        assert measured.over_peer > 0


def test_an_exponent_is_that_of_a_power_law():
    from scaling import exponent

    sizes = [1, 2, 4, 8]
    assert exponent(sizes, [3 * size**1.5 for size in sizes]) == pytest.approx(1.5)


def test_the_estimate_for_a_cluster_is_arithmetic_on_measured_rates():
    import scaling

    once, twice = (scaling.estimate(r, 3 * r, 100)[0] for r in (2.0, 4.0))
    n_cores = scaling.N_GPUS * scaling.EFFICIENCY * scaling.SPEEDUPS[0]
    assert once["rate"] == n_cores * 2
    assert once["rate"] * once["epoch"] * 60 == pytest.approx(1_281_167)
    assert once["code"] == pytest.approx(once["epoch"] / 3)
    assert once["decoders"] == once["rate"] / 100
    assert twice["epoch"] == pytest.approx(once["epoch"] / 2)


def test_measures_of_objects_are_those_of_the_field(rng, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "segmentation"))
    import _protocol

    masks = rng.random((3, 6, 8)) < 0.4
    levels = rng.integers(0, 256, masks.shape)
    found = _protocol.measure_all(list(levels / 255), list(masks), (6, 8))
    precision, recall = np.zeros((2, 3, 256))
    for i, (level, mask) in enumerate(zip(levels, masks)):
        for t in range(256):
            shown = level >= t
            precision[i, t] = (shown & mask).sum() / max(shown.sum(), 1)
            recall[i, t] = (shown & mask).sum() / mask.sum()
    np.testing.assert_allclose(found["precision"], precision)
    np.testing.assert_allclose(found["recall"], recall)
    p, r = precision[:, 1:].mean(axis=0), recall[:, 1:].mean(axis=0)
    f = 1.3 * p * r / np.maximum(0.3 * p + r, 1e-9)
    assert _protocol.max_f(found) == pytest.approx(f.max())
    inside = levels > 127
    both, either = (inside & masks).sum((1, 2)), (inside | masks).sum((1, 2))
    np.testing.assert_allclose(found["iou"], both / either)
    np.testing.assert_allclose(found["accuracy"], (inside == masks).mean((1, 2)))
    mae = abs(levels / 255 - masks).mean((1, 2))
    np.testing.assert_allclose(found["mae"], mae)


def test_masks_without_maps_are_measured_at_the_size_of_the_truth(rng, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "segmentation"))
    import _protocol

    masks = [rng.random(shape) < 0.5 for shape in ((12, 16), (18, 8))]
    small = [mask[::2, ::2] for mask in masks]
    blocks = [one.repeat(2, axis=0).repeat(2, axis=1) for one in small]
    found = _protocol.measure_all(small, blocks)
    for name in ("iou", "dice", "accuracy"):
        np.testing.assert_allclose(found[name], 1)
    np.testing.assert_allclose(found["mae"], 0)
    assert _protocol.max_f(found) == pytest.approx(1)


def test_other_sets_of_photos_are_read_as_ecssd_is(tmp_path, rng, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "segmentation"))
    import _ecssd

    corners = [
        np.pad(np.ones((20, 30), bool), ((i, 20 - i), (0, 10))) for i in range(4)
    ]
    photos = [np.where(c[..., None], 200, rng.integers(0, 50, 3)) for c in corners]
    with zipfile.ZipFile(_file(tmp_path / "duts" / "DUTS-TE.zip"), "w") as archive:
        for i, (photo, corner) in enumerate(zip(photos, corners)):
            archive.writestr(f"Image/{i}.jpg", _encoded(photo, "jpeg"))
            archive.writestr(f"Mask/{i}.png", _encoded(255 * corner, "png"))
    source = _ecssd.load("duts", tmp_path)
    for split, chosen in (("tuning", (0, 3)), ("report", (1, 2))):
        read, masks = _ecssd.read(source, split)
        assert read.shape == (2, 256, 256, 3) and masks.shape == (2, 128, 128)
        assert masks.dtype == bool
        bright = read[:, 1::2, 1::2].mean(axis=3) > 125
        assert (bright == masks).mean() > 0.95
        whole = _ecssd.whole_masks(source, split)
        np.testing.assert_array_equal(whole, [corners[i] for i in chosen])
    assert len(_ecssd.read(source, "report", 1)[0]) == 1
    with pytest.raises(OSError, match="is missing"):
        _ecssd.load("cub", tmp_path)


def _file(path):
    path.parent.mkdir()
    return path


def _encoded(pixels, kind):
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, kind)
    return file.getvalue()


def test_degraded_photos_are_photos(rng, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "segmentation"))
    import degraded

    rows = np.linspace(0, 255, 32)[:, None, None]
    photo = np.broadcast_to(rows, (32, 24, 3)).astype(np.uint8)
    for degrade, _, levels in degraded.DEGRADATIONS.values():
        losses = []
        for level in levels:
            worse = degrade(photo, level)
            assert worse.shape == photo.shape and worse.dtype == np.uint8
            np.testing.assert_array_equal(worse, degrade(photo, level))
            losses.append(np.abs(worse.astype(float) - photo).mean())
        assert 0 < losses[0] < losses[1], degrade


def test_boundaries_are_matched_one_to_one_and_as_many_as_can_be(rng, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "segmentation"))
    import _boundaries

    for _ in range(10):
        found, drawn = rng.random((2, 30, 40)) < 0.1
        partner = _boundaries.match(found, drawn, 2.3)
        one, other = np.argwhere(found), np.argwhere(drawn)
        near = ((one[:, None] - other) ** 2).sum(2) <= 2.3**2
        most = maximum_bipartite_matching(sparse.csr_array(near), perm_type="column")
        has = np.flatnonzero(partner >= 0)
        assert near[has, partner[has]].all() and len(set(partner[has])) == len(has)
        assert len(has) == (most >= 0).sum()
    assert (_boundaries.match(found, np.zeros_like(drawn), 2.3) == -1).all()
