"""Redis: in memory, on a free port of the loopback."""

from pathlib import Path

from entrypoints.services.process import Running, answers, free_port, needed, start, wait_until


def run(data: Path, port: int | None = None) -> Running:
    """This will start a server that writes nothing to disk, and wait until it answers."""
    data.mkdir(parents=True, exist_ok=True)
    port, log = port or free_port(), data / "redis.log"
    settings = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(data)]
    pid = start([needed("redis-server"), *settings, "--daemonize", "no"], log, data)
    server = Running("Redis", pid, {"DATA_PROC_REDIS_URL": f"redis://127.0.0.1:{port}/0"}, str(log))
    return wait_until(lambda: answers(port, b"PING\r\n", b"+PONG"), server)
