"""Apache Kafka in KRaft mode: one broker that is its own controller, from Maven Central's jars."""

import shutil
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_bytes
from types import MappingProxyType

from entrypoints.services.process import Running, ServiceMissing, answers, free_port, needed, start, wait_until

VERSION = "4.1.1"
RESOLVED = "resolved.txt"
"""Lists the jars, once all are copied."""
NO_PROXIES: Mapping[int, int] = MappingProxyType({})
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""A broker that lives for an hour: it starts in half the time, and costs half as much, where little is compiled."""
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT{protocols}
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.consumer.min.session.timeout.ms=6000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=1000
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=4194304
"""
POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""


def jars(cache: Path) -> Path:
    """Folder the jars are kept in."""
    return cache / f"kafka-{VERSION}"


def install(cache: Path) -> None:
    """
    This will fetch the jars from Maven Central, once.

    Raises:
        ServiceMissing: Maven is not installed, or can't fetch them.
    """
    folder = jars(cache)
    if _complete(folder):
        return
    aside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    pom = aside / "pom.xml"
    pom.write_text(POM.format(version=VERSION), encoding="utf-8")
    command = [needed("mvn"), "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={aside}"]
    fetched = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (a command of our own)
    names = sorted(jar.name for jar in aside.glob("*.jar"))
    if fetched.returncode or not names:
        raise ServiceMissing(f"Maven could not fetch Kafka {VERSION}:\n{(fetched.stdout + fetched.stderr)[-2000:]}")
    (aside / RESOLVED).write_text("\n".join(names), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)


def _complete(folder: Path) -> bool:
    """Whether every jar is there that Maven resolved when it was done, which an interrupted copy never was."""
    resolved = folder / RESOLVED
    return resolved.is_file() and all((folder / name).is_file() for name in resolved.read_text("utf-8").splitlines())


def run(data: Path, cache: Path, port: int | None = None, proxies: Mapping[int, int] = NO_PROXIES) -> Running:
    """
    This will start a broker and wait until it answers.

    Args:
        data: Folder of its own; one that holds a log already is continued.
        cache: Where the jars are.
        port: Where it listens; a free one if none is given.
        proxies: Ports it listens on as well, each with the port of the proxy before it, which clients are told of.
    """
    port = port or free_port()
    return begun(data, cache, port, properties(data, port, **_behind(proxies)))


def properties(data: Path, port: int, listeners: str = "", advertised: str = "", protocols: str = "") -> str:
    """Of a broker that listens on a port of the loopback, and on further listeners as the properties name them."""
    further = {"listeners": listeners, "advertised": advertised, "protocols": protocols}
    return PROPERTIES.format(port=port, controller=free_port(), data=data / "log", **further)


def begun(data: Path, cache: Path, port: int, properties: str, *accounts: str) -> Running:
    """
    This will start a broker with these properties and wait until it answers.

    Args:
        data: Folder of its own; one that holds a log already is continued.
        cache: Where the jars are.
        port: Where it listens.
        properties: As `properties` writes them.
        accounts: What a new log begins with, as the storage tool's --add-scram takes it.
    """
    java, libraries = needed("java"), jars(cache)
    if not _complete(libraries):
        raise ServiceMissing(f"Kafka's jars are not in {libraries}; run make services-install")
    data.mkdir(parents=True, exist_ok=True)
    file, log = data / "server.properties", data / "kafka.log"
    file.write_text(properties, encoding="utf-8")
    started = [java, *QUICK, "-Xmx512m", "-cp", f"{libraries}/*"]
    if not (data / "log" / "meta.properties").exists():
        _format(started, file, accounts)
    pid = start([*started, "kafka.Kafka", str(file)], log, data)
    server = Running("Kafka", pid, {"DATA_PROC_KAFKA_BOOTSTRAP": f"127.0.0.1:{port}"}, str(log))
    return wait_until(lambda: answers(port, API_VERSIONS, b"\x00\x00"), server)


def _behind(proxies: Mapping[int, int]) -> dict[str, str]:
    """Listeners as the properties name them."""
    return {
        "listeners": "".join(f",PROXY{at}://127.0.0.1:{at}" for at in proxies),
        "advertised": "".join(f",PROXY{at}://127.0.0.1:{told}" for at, told in proxies.items()),
        "protocols": "".join(f",PROXY{at}:PLAINTEXT" for at in proxies),
    }


API_VERSIONS = bytes.fromhex("00000011 0012 0000 00000001 0007") + b"waiting"
"""A request any broker answers once it serves: ApiVersions, version 0, from a client called `waiting`."""


def _format(java: list[str], properties: Path, accounts: Sequence[str]) -> None:
    tool = [*java, "kafka.tools.StorageTool", "format", "--standalone", "-t", _identity(), "-c", str(properties)]
    added = [text for account in accounts for text in ("--add-scram", account)]
    done = subprocess.run([*tool, *added], capture_output=True, text=True, check=False)  # noqa: S603  (of our own)
    if done.returncode:
        raise ServiceMissing(f"Kafka's storage tool failed:\n{(done.stdout + done.stderr)[-2000:]}")


def _identity() -> str:
    """Of a cluster, as the storage tool's random-uuid makes it: 128 bits in base64, not beginning with a hyphen."""
    return urlsafe_b64encode(b"\0" + token_bytes(15)).decode().rstrip("=")
