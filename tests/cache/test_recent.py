"""Recent changes: nothing from before a change is stored after it, and what was forgotten counts as changed."""

from __future__ import annotations

import random

import pytest

from core.cache.coherence.recent import RecentChanges

KEYS = ("lead:1", "lead:2", "lead:3")
TAGS = ("market:austin", "market:dallas")


class Time:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_change_of_the_key_refuses_what_was_read_before():
    """... but not the version that the change speaks of, nor what is read after it."""
    recent = RecentChanges()
    before = recent.mark()
    recent.key_changed("lead:1", 7)
    assert not recent.may_store(before, "lead:1", 6)
    assert recent.may_store(before, "lead:1", 7)
    assert recent.may_store(recent.mark(), "lead:1", 6)
    assert recent.may_store(before, "lead:2", 6)


def test_only_the_last_version_of_a_key_may_be_stored():
    """A fill of our own that was overwritten meanwhile is refused."""
    recent = RecentChanges()
    before = recent.mark()
    recent.key_changed("lead:1", 7)
    recent.key_changed("lead:1", 8)
    assert not recent.may_store(before, "lead:1", 7)
    assert recent.may_store(before, "lead:1", 8)


def test_a_changed_tag_refuses_every_other_generation():
    """The load began before the invalidation; one with the new generation began after it."""
    recent = RecentChanges()
    before = recent.mark()
    recent.tag_changed("market:austin", 5)
    assert not recent.may_store(before, "lead:1", 7, (("market:dallas", 4), ("market:austin", 4)))
    assert recent.may_store(before, "lead:1", 7, (("market:dallas", 4),))
    assert recent.may_store(before, "lead:1", 7, (("market:austin", 5),))
    assert recent.may_store(recent.mark(), "lead:1", 7, (("market:austin", 4),))


def test_a_tag_is_no_key_of_the_same_name():
    """They do not hide each other."""
    recent = RecentChanges()
    before = recent.mark()
    recent.tag_changed("lead:1", 5)
    recent.key_changed("market:austin", 3)
    assert recent.may_store(before, "lead:1", 7, (("market:austin", 4),))


def test_everything_changed_refuses_all_from_before():
    """A lost link may have hidden any message."""
    recent = RecentChanges()
    before = recent.mark()
    recent.everything_changed()
    assert not recent.may_store(before, "lead:1", 7)
    assert recent.may_store(recent.mark(), "lead:1", 7)


def test_what_was_forgotten_counts_as_changed():
    """With room for two, the third change forgets the first: a mark from before that is refused for every key."""
    recent = RecentChanges(max_items=2)
    first = recent.mark()
    recent.key_changed("lead:1", 0)
    second = recent.mark()
    recent.key_changed("lead:2", 0)
    recent.key_changed("lead:3", 0)
    assert len(recent) == 2
    assert not recent.may_store(first, "lead:9", 7)
    assert recent.may_store(second, "lead:9", 7)
    assert not recent.may_store(second, "lead:2", 7)


def test_old_changes_are_forgotten_and_never_allow_what_they_refused():
    """After 30 s the memory is free again, and a load that began before them is still refused."""
    time = Time()
    recent = RecentChanges(keep_seconds=30, clock=time)
    before = recent.mark()
    for number in range(10):
        recent.key_changed(f"lead:{number}", 0)
    time.now = 31.0
    for number in range(10):
        recent.key_changed(f"late:{number}", 0)
    assert len(recent) == 10
    assert not recent.may_store(before, "lead:3", 7)


class Model:
    """Every change ever, looked through one by one."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str, int]] = []

    def may_store(self, mark: int, key: str, version: int, tags: tuple[tuple[str, int], ...]) -> bool:
        since = self.changes[mark:]
        versions = [changed for kind, name, changed in since if kind == "key" and name == key]
        last = {name: changed for kind, name, changed in since if kind == "tag"}
        tagged = any(last.get(tag, generation) != generation for tag, generation in tags)
        everything = any(kind == "everything" for kind, _, _ in since)
        return not (everything or tagged or (versions and versions[-1] != version))


@pytest.mark.parametrize(("max_items", "exact"), [(100, True), (2, False)])
def test_random_changes_agree_with_the_model(max_items, exact):
    """With room enough the answers are equal; with little room it may refuse more, but never allows what the model refuses."""
    random_ = random.Random(20_260_118)
    compared = {True: 0, False: 0}
    for _ in range(200):
        recent, model, marks = RecentChanges(max_items=max_items), Model(), [0]
        for _ in range(30):
            _change(random_, recent, model)
            marks.append(recent.mark())
            mark, key, version = random_.choice(marks), random_.choice(KEYS), random_.randint(1, 3)
            tags = tuple((tag, random_.randint(1, 2)) for tag in random_.sample(TAGS, random_.randint(0, 2)))
            allowed, wanted = recent.may_store(mark, key, version, tags), model.may_store(mark, key, version, tags)
            assert allowed == wanted or (not exact and not allowed)
            compared[allowed] += 1
    assert min(compared.values()) > 300


def _change(random_: random.Random, recent: RecentChanges, model: Model) -> None:
    kind = random_.choices(("key", "tag", "everything"), (10, 3, 1))[0]
    if kind == "key":
        name, version = random_.choice(KEYS), random_.randint(0, 3)
        recent.key_changed(name, version)
    elif kind == "tag":
        name, version = random_.choice(TAGS), random_.randint(0, 2)
        recent.tag_changed(name, version)
    else:
        name, version = "", 0
        recent.everything_changed()
    model.changes.append((kind, name, version))
