"""A Postgres of the tests' own, from the distribution's packages, on a socket in a temporary folder."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Where Debian puts each version's programs.
_DEBIAN = Path("/usr/lib/postgresql")


def programs() -> Path | None:
    """The folder of initdb and postgres; None where there is no Postgres."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return next(iter(sorted(_DEBIAN.glob("*/bin"), reverse=True)), None)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Start a server; its address, as SQLAlchemy has it."""
    bin_ = programs()
    assert bin_ is not None
    # Postgres refuses to run as root.
    as_user = "postgres" if os.geteuid() == 0 else None
    data, socket = folder / "data", folder / "socket"
    for made in (data, socket):
        made.mkdir()
        if as_user:
            shutil.chown(made, "postgres", "postgres")
    environment = {"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}

    def run(*command: str) -> None:
        # Each time: another run of pytest that starts meanwhile closes their common folder again.
        for parent in [folder, *folder.parents][:4]:
            parent.chmod(parent.stat().st_mode | 0o055)
        subprocess.run(
            command,
            check=True,
            env=environment,
            cwd="/",
            timeout=60,
            stdout=subprocess.DEVNULL,
            user=as_user,
            group=as_user,
        )

    run(str(bin_ / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories={socket} -c fsync=off"
    control = str(bin_ / "pg_ctl")
    run(control, "-D", str(data), "-w", "-l", str(data / "log"), "-o", options, "start")
    try:
        yield f"postgresql+psycopg://postgres@/postgres?host={socket}"
    finally:
        run(control, "-D", str(data), "-m", "immediate", "stop")
