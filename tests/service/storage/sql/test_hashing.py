"""Keys of ids."""

from __future__ import annotations

from service.storage.sql.hashing import bytes_of, digest_of, key_of, keys_of


def test_many_keys_are_those_of_each() -> None:
    ids = [f"c{k}" for k in range(500)] + ["é", "", "難民", "c1"]
    assert keys_of(ids).tolist() == [key_of(name) for name in ids]
    assert min(keys_of(ids)) < 0 < max(keys_of(ids))
    assert [bytes_of(key) for key in keys_of(ids)] == [digest_of(name) for name in ids]
    assert len(keys_of([])) == 0
