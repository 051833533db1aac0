"""A timestamp authority for tests: certificates, keys and tokens by the `openssl` of the machine, behind a real socket.

The tokens are somebody else's work: what `signing.timestamps` accepts is not what it made itself.
"""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

QUERY = "application/timestamp-query"
REPLY = "application/timestamp-reply"
TIMESTAMPING = "critical,timeStamping"
_TST_INFO = "1.2.840.113549.1.9.16.1.4"
_CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
# As `openssl ca` wants to be told.
_CA_CONFIG = """
[ca]
default_ca = it
[it]
database = {directory}/{issuer}.index
new_certs_dir = {directory}
serial = {directory}/{issuer}.serial
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""
_TSA_CONFIG = """
[tsa]
default_tsa = it
[it]
serial = {directory}/serial
crypto_device = builtin
signer_cert = {directory}/{signer}.pem
signer_key = {directory}/{signer}.key
certs = {directory}/{chain}.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = {digests}
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = {ess}
"""


def openssl(*arguments: object, stdin: bytes = b"") -> bytes:
    """Run `openssl`. A machine without it fails the tests: nothing is skipped."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True, check=False, timeout=600)
    assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr.decode()}"
    return done.stdout


def der(tag: int, *contents: bytes) -> bytes:
    """Return an element in DER."""
    content = b"".join(contents)
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2)
    return bytes([tag]) + length + content


def granted(token: bytes) -> bytes:
    """Return a response that carries a token."""
    return der(0x30, der(0x30, b"\x02\x01\x00"), token)


@dataclass
class Authority:
    """A root, certificates below it, and their keys, in a directory. Names are those of the files."""

    directory: Path
    name: str = "root"
    issued: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._key(self.name, authority=True)
        config = self._write("root.cnf", f"[req]\ndistinguished_name=dn\nx509_extensions=ca\n[dn]\n[ca]\n{_CA}")
        openssl(
            *("req", "-x509", "-new", "-key", self.path(f"{self.name}.key"), "-sha256", "-days", 7300),
            *("-subj", f"/CN={self.name}", "-config", config, "-out", self.path(f"{self.name}.pem")),
        )
        self.path("serial").write_text("01")
        self.issue("tsa")

    def path(self, name: str) -> Path:
        return self.directory / name

    @cached_property
    def root(self) -> bytes:
        """The root's certificate in PEM."""
        return self.path(f"{self.name}.pem").read_bytes()

    def issue(
        self,
        name: str,
        *,
        purpose: str | None = TIMESTAMPING,
        issuer: str | None = None,
        authority: bool = False,
        start: str = "20200101000000Z",
        end: str = "20450101000000Z",
        key: str | None = None,
        serial: str = "",
    ) -> None:
        """Issue a certificate for a fresh key, or another certificate for the key of `key`."""
        issuer = issuer or self.name
        if key is None:
            self._key(name, authority=authority)
        else:
            self.path(f"{name}.key").write_bytes(self.path(f"{key}.key").read_bytes())
        wish = openssl("req", "-new", "-key", self.path(f"{name}.key"), "-subj", f"/CN={name}", "-config", "/dev/null")
        usage = f"extendedKeyUsage={purpose}\n" if purpose else ""
        extensions = self._write(f"{name}.ext", _CA if authority else f"keyUsage=critical,digitalSignature\n{usage}")
        self.path(f"{issuer}.index").touch()
        next_serial = self.path(f"{issuer}.serial")
        if serial or not next_serial.exists():
            next_serial.write_text(serial or "1000")
        config = self._write(f"{issuer}.ca.cnf", _CA_CONFIG.format(directory=self.directory, issuer=issuer))
        openssl(
            *("ca", "-batch", "-notext", "-config", config, "-in", "/dev/stdin", "-extfile", extensions),
            *("-cert", self.path(f"{issuer}.pem"), "-keyfile", self.path(f"{issuer}.key")),
            *("-startdate", start, "-enddate", end, "-out", self.path(f"{name}.pem")),
            stdin=wish,
        )
        self.issued.append(name)

    def certificate(self, name: str) -> bytes:
        """Return a certificate in DER."""
        return openssl("x509", "-in", self.path(f"{name}.pem"), "-outform", "DER")

    def answer(
        self, request: bytes, *, signer: str = "tsa", chain: str = "", digests: str = "sha256", ess: str = "sha256"
    ) -> bytes:
        """Answer a request as `openssl ts` does. `digests` are those that are accepted, `ess` hashes the certificate."""
        config = self._write(
            "tsa.cnf",
            _TSA_CONFIG.format(
                directory=self.directory, signer=signer, chain=chain or self.name, digests=digests, ess=ess
            ),
        )
        query = self.path("query.tsq")
        query.write_bytes(request)
        reply = self.path("reply.tsr")
        openssl("ts", "-reply", "-config", config, "-section", "it", "-queryfile", query, "-out", reply)
        return reply.read_bytes()

    def sign(self, response: bytes, signer: str, *options: str, content_type: str = _TST_INFO) -> bytes:
        """Return a response over the same content by another certificate, whatever that is good for: `openssl ts` would refuse."""
        reply, content = self.path("reply.tsr"), self.path("content.der")
        reply.write_bytes(response)
        token = openssl("ts", "-reply", "-in", reply, "-token_out")
        openssl("cms", "-verify", "-noverify", "-inform", "DER", "-binary", "-out", content, stdin=token)
        return granted(
            openssl(
                *("cms", "-sign", "-binary", "-nodetach", "-nosmimecap", "-outform", "DER", "-md", "sha256"),
                *("-econtent_type", content_type, "-in", content, *options),
                *("-signer", self.path(f"{signer}.pem"), "-inkey", self.path(f"{signer}.key")),
            )
        )

    def accepts(self, response: bytes, message: bytes) -> bool:
        """Say whether `openssl ts -verify` accepts a response: an oracle."""
        reply, data = self.path("verified.tsr"), self.path("verified.data")
        reply.write_bytes(response)
        data.write_bytes(message)
        command = ["openssl", "ts", "-verify", "-in", reply, "-data", data, "-CAfile", self.path(f"{self.name}.pem")]
        return subprocess.run(command, capture_output=True, check=False, timeout=600).returncode == 0

    def _key(self, name: str, *, authority: bool = False) -> None:
        # What an authority signs by RSA has one length: certificates can be put in each other's place.
        kind = ("RSA", "rsa_keygen_bits:2048") if authority else ("EC", "ec_paramgen_curve:P-256")
        openssl("genpkey", "-algorithm", kind[0], "-pkeyopt", kind[1], "-out", self.path(f"{name}.key"))

    def _write(self, name: str, text: str) -> Path:
        path = self.path(name)
        path.write_text(text)
        return path


@contextmanager
def running_authority(
    answer: Callable[[bytes], bytes], *, status: int = 200, media_type: str = REPLY, **headers: str
) -> Iterator[str]:
    """Answer POST on a socket of one's own; yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if self.headers["Content-Type"] != QUERY:
                self.send_error(415)
                return
            body = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Tests have nobody who reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsr"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
