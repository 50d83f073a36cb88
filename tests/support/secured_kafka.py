"""A broker behind TLS for tests: one listener asks for a password, one for a certificate."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from entrypoints.services import kafka as broker
from entrypoints.services.installing import cache
from entrypoints.services.process import free_port, stop
from tests.support.services import installed, service

USER, PASSWORD = "refinery", "right"
KEY_PASSWORD = "locked"  # noqa: S105 - the same
LISTENERS = ",SECURE://127.0.0.1:{secure},MUTUAL://127.0.0.1:{mutual}"
SECURED = """\
ssl.keystore.type=PEM
ssl.keystore.location={keys}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
listener.name.mutual.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.secure.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
"""
DAYS = ("-days", "2")


@attrs.frozen
class Authority:
    """Somebody who signs certificates, self-signed."""

    folder: Path
    name: str

    def __attrs_post_init__(self) -> None:
        made = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={self.name}", *DAYS)
        _openssl(*made, "-keyout", str(self._key), "-out", str(self.certificate))

    @property
    def certificate(self) -> Path:
        """PEM file."""
        return self.folder / f"{self.name}.pem"

    @property
    def _key(self) -> Path:
        return self.folder / f"{self.name}.key"

    def signed(self, name: str) -> "Signed":
        """A certificate for the loopback, by this authority."""
        signed = Signed(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        asked, names = self.folder / f"{name}.csr", self.folder / f"{name}.names"
        names.write_text("subjectAltName=IP:127.0.0.1", encoding="utf-8")
        made = ("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}")
        _openssl(*made, "-keyout", str(signed.key), "-out", str(asked))
        by = ("-CA", str(self.certificate), "-CAkey", str(self._key), "-CAcreateserial", "-extfile", str(names))
        _openssl("x509", "-req", "-in", str(asked), *by, *DAYS, "-out", str(signed.certificate))
        return signed


@attrs.frozen
class Signed:
    """A certificate and its key, PEM files."""

    certificate: Path
    key: Path

    def locked(self) -> Path:
        """The key, under KEY_PASSWORD."""
        path = self.key.with_suffix(".locked")
        _openssl("rsa", "-aes256", "-in", str(self.key), "-out", str(path), "-passout", f"pass:{KEY_PASSWORD}")
        return path

    def together(self) -> Path:
        """Both in one file, as brokers want them."""
        path = self.key.with_suffix(".both")
        path.write_text(self.key.read_text("utf-8") + self.certificate.read_text("utf-8"), encoding="utf-8")
        return path


@attrs.frozen
class SecuredKafka:
    """A broker, and what its clients need."""

    secure: str
    """Where it asks for a password."""
    mutual: str
    """Where it asks for a certificate."""
    authority: Authority
    client: Signed


@contextmanager
def secured_kafka() -> Iterator[SecuredKafka]:
    """A broker of its own for as long as it is needed."""
    service("kafka")  # where it can't be started, the test is skipped
    with TemporaryDirectory(prefix="dataproc-secured-") as name:
        folder = Path(name)
        authority = Authority(folder, "authority")
        ports = {"secure": free_port(), "mutual": free_port()}
        listeners, port = LISTENERS.format(**ports), free_port()
        text = broker.properties(folder, port, listeners, listeners, ",SECURE:SASL_SSL,MUTUAL:SSL")
        secured = SECURED.format(keys=authority.signed("broker").together(), authority=authority.certificate)
        account = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
        server = broker.begun(folder, cache(), port, text + secured, account)
        try:
            places = {name: f"127.0.0.1:{at}" for name, at in ports.items()}
            yield SecuredKafka(authority=authority, client=authority.signed("client"), **places)
        finally:
            stop(server)


def _openssl(*command: str) -> None:
    subprocess.run([installed("openssl"), *command], check=True, capture_output=True)
