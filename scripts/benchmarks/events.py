"""The work: deployments of services in one environment, as the bytes that a pipeline would post.

Three events tell of each deployment, two deployments belong to a change, all of them share `environment:prod`: four refs each, of which
one in two events is new. Ids look random, because real ones are and because an index feels the difference.
"""

from collections.abc import Iterator

SOURCE = "https://ci.example.com/payments"
TYPES = ("deployment.started", "deployment.finished", "deployment.verified")
SERVICES = 40
_ARTIFACT = "pkg:oci/payments-api@sha256%3A0b31b1c02ff458ad"
_MORE = (
    f'"commit":"9fceb02d0ae598e95dc970b74767f19372d61af8","artifact":"{_ARTIFACT}","strategy":"canary"',
    f'"commit":"9fceb02d0ae598e95dc970b74767f19372d61af8","artifact":"{_ARTIFACT}","outcome":"success"',
    f'"artifact":"{_ARTIFACT}","verdict":"healthy","checks":[{{"name":"error_rate","passed":true,"observations":1200}}]',
)
_MIX = 0x9E3779B97F4A7C15  # odd: multiplying by it permutes the numbers below 2^64
_MASK = (1 << 64) - 1


def event(number: int, kind: int | None = None) -> bytes:
    """Return event `number` as JSON bytes, not canonical; `kind` says which of the three it is, by default each in its turn."""
    deployment = number if kind is not None else number // 3
    kind = number % 3 if kind is None else kind
    return (
        f'{{"specversion":"1.0","id":"{number * _MIX & _MASK:016x}-{number:08d}","source":"{SOURCE}",'
        f'"type":"{TYPES[kind]}",'
        f'"time":"2026-11-23T12:00:00Z","data":{{"actor":"service:payments-ci","deployment_id":"payments-api-{deployment:08d}",'
        f'"change_id":"CHG-{deployment // 2:08d}","service":"service-{deployment // 2 % SERVICES:02d}","environment":"prod",'
        f"{_MORE[kind]}}}}}"
    ).encode()


def groups(size: int, *, first: int = 1) -> Iterator[list[bytes]]:
    """Yield groups of `size` events without end."""
    while True:
        yield [event(number) for number in range(first, first + size)]
        first += size
