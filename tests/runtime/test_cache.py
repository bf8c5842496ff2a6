from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from wasmjit.runtime.cache import Cache, CacheUnavailable, default_root, open_cache


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "c")


def entry(cache: Cache) -> Path:
    (path,) = cache.root.glob("*.bin")
    return path


def test_entries_come_back_and_are_replaced(cache: Cache) -> None:
    assert cache.get(b"k") is None
    assert cache.put(b"k", b"one") and cache.put(b"k", b"two") and cache.put(b"empty", b"")
    assert cache.get(b"k") == b"two"
    assert cache.get(b"empty") == b""
    assert Cache(cache.root).get(b"k") == b"two"
    assert cache.stats()[0] == 2
    assert cache.clear() == 2
    assert cache.get(b"k") is None


def test_directory_key_and_entries_are_private(cache: Cache) -> None:
    cache.put(b"k", b"x")
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in cache.root.iterdir()}
    assert stat.S_IMODE(cache.root.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}
    assert "hmac.key" in modes and len(modes) == 2


@pytest.mark.parametrize("where", [0, 10, 45, -1])
def test_changed_entry_counts_as_missing(cache: Cache, where: int) -> None:
    cache.put(b"k", b"native code" * 10)
    blob = bytearray(entry(cache).read_bytes())
    blob[where] ^= 1
    entry(cache).write_bytes(blob)
    assert cache.get(b"k") is None
    assert cache.put(b"k", b"again") and cache.get(b"k") == b"again"


def test_truncated_entry_counts_as_missing(cache: Cache) -> None:
    cache.put(b"k", b"native code" * 10)
    os.truncate(entry(cache), 20)
    assert cache.get(b"k") is None


def test_entry_moved_to_another_key_counts_as_missing(cache: Cache) -> None:
    cache.put(b"a", b"x")
    first = entry(cache)
    cache.put(b"b", b"y")
    (second,) = set(cache.root.glob("*.bin")) - {first}
    os.replace(first, second)
    assert cache.get(b"b") is None


def test_entry_under_another_users_key_counts_as_missing(cache: Cache, tmp_path: Path) -> None:
    cache.put(b"k", b"x")
    other = Cache(tmp_path / "other")
    os.link(entry(cache), other.root / entry(cache).name)
    assert other.get(b"k") is None


def test_entry_that_others_may_write_or_a_link_counts_as_missing(cache: Cache) -> None:
    cache.put(b"k", b"x")
    path = entry(cache)
    path.chmod(0o666)
    assert cache.get(b"k") is None
    path.chmod(0o600)
    path.rename(cache.root / "moved")
    path.symlink_to(cache.root / "moved")
    assert cache.get(b"k") is None


def test_shared_directory_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir(mode=0o755)
    (tmp_path / "c").chmod(0o755)
    with pytest.raises(CacheUnavailable, match="chmod"):
        Cache(tmp_path / "c")
    assert open_cache(tmp_path / "c") is None


def test_linked_directory_and_file_in_its_place_are_refused(tmp_path: Path) -> None:
    Cache(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("")
    for name in ("link", "file"):
        assert open_cache(tmp_path / name) is None


def test_directory_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Cache(tmp_path / "c")
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    with pytest.raises(CacheUnavailable, match="belongs to"):
        Cache(tmp_path / "c")


def test_readable_or_damaged_secret_is_refused(cache: Cache) -> None:
    (cache.root / "hmac.key").chmod(0o644)
    assert open_cache(cache.root) is None
    (cache.root / "hmac.key").chmod(0o600)
    (cache.root / "hmac.key").write_bytes(b"short")
    with pytest.raises(CacheUnavailable, match="damaged"):
        Cache(cache.root)


def test_full_disk_is_not_an_error_and_leaves_nothing_behind(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert cache.put(b"k", b"x") is False
    assert [p.name for p in cache.root.iterdir()] == ["hmac.key"]


def test_least_recently_used_entries_go_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c", max_bytes=2500)
    for i, key in enumerate((b"a", b"b")):
        cache.put(key, bytes(1000))
        path = cache.root / cache._path(key).name
        os.utime(path, (i, i))
    assert cache.get(b"a") is not None
    cache.put(b"c", bytes(1000))
    assert cache.get(b"b") is None
    assert cache.get(b"a") is not None and cache.get(b"c") is not None


def test_location_follows_the_xdg_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_root() == Path("/somewhere/wasmjit")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_root() == Path.home() / ".cache" / "wasmjit"
