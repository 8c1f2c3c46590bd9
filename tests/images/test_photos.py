"""Photos as a value: slices, parts, batches, and what is read when."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_sparsevae.images import InputSpec, LazyPhotos, Photos


def numbered(n, height=4, width=5, channels=3):
    """Images whose numbers say which they are."""
    images = np.arange(n, dtype=np.uint8)[:, None, None, None]
    return np.broadcast_to(images, (n, height, width, channels)).copy()


def of_sizes(n):
    return [numbered(n)[i, : 2 + i % 3, : 3 + i % 2] for i in range(n)]


class Lazy:
    def __init__(self, photos, shapes=True):
        self.photos, self.read = photos, []
        if shapes:
            self.shapes = [photo.shape for photo in photos]

    def __len__(self):
        return len(self.photos)

    def __getitem__(self, i):
        self.read.append(i)
        return self.photos[i]


FORMS = {
    "array": numbered,
    "list": lambda n: list(numbered(n)),
    "lazy": lambda n: Lazy(numbered(n)),
    "sizes": of_sizes,
    "lazy sizes": lambda n: Lazy(of_sizes(n)),
}
every_form = pytest.mark.parametrize("form", FORMS)


def marks(photos):
    return [int(photos.items[i].flat[0]) for i in range(len(photos))]


@every_form
@given(
    st.one_of(
        st.slices(7),
        st.lists(st.integers(0, 6), min_size=1).map(np.array),
        st.lists(st.booleans(), min_size=7, max_size=7).map(np.array),
    )
)
def test_a_selection_selects_all_that_belongs_to_a_photo(form, key):
    targets = InputSpec().open(FORMS[form](7))
    photos = Photos(
        targets.items,
        targets.layout,
        targets.value_range,
        targets=targets,
        condition=np.arange(7, dtype=np.float32)[:, None],
    )
    expected = np.arange(7)[key]
    if len(expected) == 0 and form != "array":
        return
    chosen = photos[key]
    assert marks(chosen) == marks(chosen.targets) == expected.tolist()
    assert chosen.condition[:, 0].tolist() == expected.tolist()
    assert chosen.shapes == [photos.shapes[i] for i in expected]


@every_form
def test_parts_are_of_one_size_and_gather_gives_the_same_kind_back(form):
    photos = InputSpec().open(FORMS[form](5))
    parts = list(photos.parts())
    assert all(part.is_one_size for part in parts)
    assert sum(map(len, parts)) == 5
    gathered = photos.gather(len(part) for part in parts)
    assert gathered == (5 if photos.is_one_size else [1] * 5)


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_batches_are_read_and_cover_all(size):
    photos = InputSpec().open(Lazy(numbered(5)))
    batches = list(photos.batches(size))
    assert all(isinstance(batch.items, np.ndarray) for batch in batches)
    assert [mark for batch in batches for mark in marks(batch)] == list(range(5))
    assert max(map(len, batches)) == min(size, 5)


@pytest.mark.parametrize("shapes", [True, False])
def test_a_photo_is_checked_when_it_is_first_read_and_never_again(shapes):
    lazy, checked = Lazy(numbered(4), shapes), []
    photos = LazyPhotos(
        lazy, "X", lambda p, name: np.asarray(p), lambda p, name: checked.append(name)
    )
    assert checked == ["X[0]"]
    for _ in range(2):
        for i in range(4):
            photos[i]
    assert checked == [f"X[{i}]" for i in range(4)]


def test_what_was_opened_passes_the_door_as_it_is():
    photos = InputSpec().open(numbered(3))
    assert InputSpec().open(photos) is photos


@every_form
def test_crops_are_no_larger_than_the_smallest_side(form):
    photos = InputSpec().open(FORMS[form](5))
    smallest = min(min(shape[:2]) for shape in photos.shapes)
    assert photos.with_crops(smallest).crop_size == smallest
    with pytest.raises(ValueError, match=f"exceeds the {smallest} pixels"):
        photos.with_crops(smallest + 1)


def test_the_layout_gives_back_what_came():
    images = numbered(3)
    for X, shape in (
        (images, None),
        (images[..., 0], None),
        (images.reshape(3, -1), (4, 5, 3)),
        (images[..., 0].reshape(3, -1), (4, 5)),
        (images.reshape(3, -1).astype(float), None),
    ):
        photos = InputSpec.of(image_shape=shape).open(X)
        np.testing.assert_array_equal(photos.layout.restore(photos.items), X)


def test_photos_are_shown_without_their_pixels():
    photos = InputSpec.of().open(numbered(7), "X")
    assert repr(photos) == "<Photos: 7 of 4 x 5, 3 channel(s), uint8>"
    several = InputSpec.of().open(of_sizes(3), "X").with_crops(2)
    assert repr(several).startswith("<Photos: 3 of several sizes, 3 channel(s)")
    assert repr(several).endswith("crops of 2>")
