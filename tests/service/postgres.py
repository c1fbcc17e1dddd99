"""A PostgreSQL of the tests' own, where its programs are installed: started in a folder, killed, started again."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

PLACES = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt")


def find_programs() -> Path | None:
    """The folder with `initdb` and `postgres`; None where there is none."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    found_there = [path.parent for place in PLACES for path in Path(place).glob("*/bin/initdb")]
    return max(found_there, default=None)


class PostgreSQL:
    """One server of 127.0.0.1, for this process alone. Root may not run it, so that another user does."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="facechange-postgres-"))
        self._who: dict[str, Any] = {}
        if os.getuid() == 0:
            user = next(name for name in ("postgres", "nobody") if _exists(name))
            self._who = {"user": user, "extra_groups": []}
            shutil.chown(self._folder, user)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        data = str(self._folder / "data")
        initialise = [str(programs / "initdb"), "-D", data, "-U", "tests", "-A", "trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(initialise, check=True, stdout=subprocess.DEVNULL, cwd=self._folder, **self._who)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Run it, and wait until it answers; what a killed one left may keep it from that for a moment."""
        options = {"listen_addresses": "127.0.0.1", "port": self._port, "unix_socket_directories": "", "fsync": "off"}
        command = [str(self._programs / "postgres"), "-D", str(self._folder / "data"), "-c", "max_connections=300"]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        end = time.monotonic() + 60
        self._process = None
        while not self._answers():
            if self._process is None or self._process.poll() is not None:
                if time.monotonic() > end:
                    raise RuntimeError((self._folder / "log").read_text()[-2000:])
                with (self._folder / "log").open("ab") as log:
                    self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder, **self._who)
            time.sleep(0.1)

    def _answers(self) -> bool:
        engine = create_engine(self.url_of("postgres"))
        try:
            engine.connect().close()
        except OperationalError:
            return False
        finally:
            engine.dispose()
        return True

    def kill(self) -> None:
        """End it as a loss of power does, but for the disk."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it in order, and let its folder be gone."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"test_{secrets.token_hex(6)}"
        engine = create_engine(self.url_of("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return self.url_of(name)

    def url_of(self, database: str) -> str:
        """SQLAlchemy's URL."""
        return f"postgresql+psycopg://tests@127.0.0.1:{self._port}/{database}"


def _exists(user: str) -> bool:
    import pwd

    return any(entry.pw_name == user for entry in pwd.getpwall())
