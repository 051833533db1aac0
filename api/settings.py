"""Settings: from flags, the environment (`CHANGE_LEDGER_…`) and a file, in this order.

Every one has a default that works on one machine.
"""

import os
import tomllib
from enum import StrEnum
from pathlib import Path

from pydantic import Field, IPvAnyNetwork, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from api.http.connections import Bounds
from api.http.limits import Limits
from api.intake import SIGNED
from ledger.errors import SetupError, misfit, no_such
from ledger.published.durable import read_configured

SETTINGS_FILE = "change-ledger.toml"
PREFIX = "CHANGE_LEDGER_"
# Of the command, and no settings of a process.
COMMAND_VARIABLES = frozenset({"CHANGE_LEDGER_SERVER", "CHANGE_LEDGER_TOKEN"})
# Characters of a shared secret.
MIN_SECRET = 16
_BOUNDS = Bounds()


class ViewsPlace(StrEnum):
    """Where the views are folded, as seen from a server."""

    INSIDE = "inside"
    BESIDE = "beside"
    NONE = "none"


class Settings(BaseSettings):
    """What a process of the ledger is told."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, toml_file=SETTINGS_FILE, extra="forbid")

    directory: Path = Field(Path("var"), description="Where the embedded database and the private keys lie.")
    database_url: str = Field(
        "", description="SQLAlchemy URL of the database, or the path of a SQLite file; empty for SQLite in `directory`."
    )
    database_timeout_s: float = Field(
        60,
        ge=1,
        description="Seconds in which PostgreSQL must answer a statement of a server, or the connection is given up and whoever waits "
        "gets 503. An append waits for others for 30.",
    )
    entry_key: str = Field(
        "", description="The entry key: a PEM file, or `env:NAME`; by default `directory`/keys/entry.pem."
    )
    checkpoint_key: str = Field(
        "",
        description="The checkpoint key: a PEM file, or `env:NAME`; by default `directory`/keys/checkpoint.pem. "
        "A process that has none signs no checkpoints.",
    )
    signer_memory: Path | None = Field(
        None,
        description="The file in which the signer of checkpoints remembers the last one; by default `directory`/signer/checkpoint. "
        "Not in the database, and not in its backups.",
    )
    witnesses: list[str] = Field([], description="Witnesses to cosign checkpoints, each `<verifier key> <URL>`.")
    witness_policy: str = Field(
        "observe",
        pattern="^(off|observe|require:[1-9][0-9]?)$",
        description="`off`, `observe`, or `require:K`: publish a checkpoint only when K witnesses cosigned it.",
    )
    public_entries: bool = Field(False, description="Serve entries and signatures to everybody, not to auditors alone.")
    commit_heads_every_s: int = Field(
        3600,
        ge=0,
        description="How often the heads of all refs are committed, in seconds; 0 for never. Dossiers are complete up to the last time.",
    )
    known_ledgers: Path = Field(
        Path("~/.config/change-ledger/known-ledgers"),
        description="Pins of the ledgers this user knows, as ssh keeps known hosts.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 for any that is free.")
    max_waiting: int = Field(
        10_000, ge=1, description="Submissions that may wait for the writer before callers get 503."
    )
    views: ViewsPlace = Field(
        ViewsPlace.BESIDE,
        description="Where the views are folded: `inside` the server's process, in one `beside` it that the server starts and "
        "watches, or `none` for a server that leaves it to another one or to `change-ledger views run`. One process folds at a time.",
    )
    max_views_lag_s: int = Field(
        60, ge=1, description="How long views may lag behind the log before `/readyz/views` answers 503, in seconds."
    )
    max_body_bytes: int = Field(
        8_388_608, ge=1024, description="Longest request body; longer ones get 413 while they are read."
    )
    max_connections: int = Field(
        _BOUNDS.max_connections,
        ge=2,
        description="Connections that are held; over it the slowest stranger of the network that has most is dropped, and where there "
        "is none, a stream, an unread answer or an unfinished request of the credential that has most.",
    )
    max_header_bytes: int = Field(
        _BOUNDS.max_header_bytes, ge=1024, description="Longest head of a request, with its URL; longer ones get 431."
    )
    header_timeout_s: float = Field(
        _BOUNDS.header_timeout_s, gt=0, description="Seconds in which the head of a request must have come."
    )
    body_timeout_s: float = Field(
        _BOUNDS.body_timeout_s,
        gt=0,
        description="Seconds in which a body must have come, and after which an answer that nobody reads is given up.",
    )
    max_unauthenticated_bytes: int = Field(
        _BOUNDS.max_unauthenticated_bytes,
        ge=65_536,
        description="Bytes of bodies of senders that are not known yet, all together, spooled in the directory for "
        "temporary files. Over it the network that sent most loses its slowest.",
    )
    max_authenticated_bytes: int = Field(
        _BOUNDS.max_authenticated_bytes,
        ge=65_536,
        description="Bytes of bodies of known callers that are held while they come, all together. Over it the credential that sent "
        "most loses its slowest that is not whole; one body by itself may always be as long as `max_body_bytes`.",
    )
    limits: Limits = Field(
        Limits(),
        description="Requests a minute, a minute's worth at once; more get 429 with Retry-After. `credential_per_minute`, "
        "`address_per_minute` (a /24 or /48), `withdrawals_per_minute` of a credential (a batch of them is one), "
        "`credential_bytes_per_day` (what a credential may append, batches and files too; each server counts for itself), "
        "`credential_at_once` requests of a credential are worked on at the same time, and `address_at_once` of a network that shows none "
        "(posts of one event: 64); of all credentials together `long_at_once` long questions are (lists, pages, reads with a query, "
        "policies that are tried), and the next is of whoever has fewest; `waiting` more wait, and what comes beyond gets 429, too. "
        "`exempt_batches` (batch posts count for no credential, and wait), `exempt_credentials` (the ids of tokens that no "
        "limit holds for, such as an import's: their requests wait).",
    )
    trusted_proxies: list[IPvAnyNetwork] = Field(
        [],
        description="Addresses or networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` count; of nobody "
        "else do they.",
    )
    access_log: str = Field(
        "",
        description="A file for the access log, a line of JSON for each request; by default `directory`/access.log. "
        "`-` for the standard error, `off` for none. Over 64 MiB it becomes `….1`.",
    )
    secrets: dict[str, SecretStr] = Field(
        {},
        description="Secrets shared with the senders of signed intake formats, by format, each of at least 16 characters; "
        f"or each in a variable of its own: {', '.join(f'`{known.secret_variable}`' for known in SIGNED.values())}.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        named = InitSettingsSource(settings_cls, {"secrets": _named_secrets()})
        # What stands there and is no file would be passed over.
        read_configured(Path(SETTINGS_FILE))
        return init_settings, named, env_settings, TomlConfigSettingsSource(settings_cls)

    @field_validator("secrets", mode="after")
    @classmethod
    def _no_weak_secrets(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, secret in value.items():
            if name not in SIGNED:
                raise ValueError(no_such("signed intake format", name, list(SIGNED)))
            if 0 < (size := len(secret.get_secret_value())) < MIN_SECRET:
                where = SIGNED[name].secret_variable
                where = where if where in os.environ else f"secrets.{name}"
                raise ValueError(f"expected {where} to have at least {MIN_SECRET} characters, found {size}")
        # An empty secret is an unset one: anybody can sign with an empty key.
        return {name: secret for name, secret in value.items() if secret.get_secret_value()}

    @staticmethod
    def place_of(name: str) -> str:
        """Say where the value of a setting came from: a variable, or the file. Settings of flags name themselves."""
        variables = [f"{PREFIX}{name.upper()}"]
        # A secret may have a variable of its own.
        variables += [known.secret_variable for known in SIGNED.values()] if name == "secrets" else []
        if (variable := next((named for named in variables if named in os.environ), None)) is not None:
            return variable
        return f"{SETTINGS_FILE}: {name}" if _is_in_file(name) else f"--{name.replace('_', '-')}"

    @classmethod
    def unknown_variables(cls) -> list[str]:
        """Say of each variable of the environment that is named as a setting is, and does not set one, which may be meant.

        Variables that a setting names with `env:` are somebody's own.
        """
        known = {f"{PREFIX}{name.upper()}" for name in cls.model_fields} | COMMAND_VARIABLES
        known |= {signed.secret_variable for signed in SIGNED.values()}
        own = {value.removeprefix("env:") for value in os.environ.values() if value.startswith("env:")}
        return [
            no_such("setting", name, sorted(known), listed_by="docs/reference/settings.md lists all")
            for name in sorted(os.environ)
            if name.startswith(PREFIX) and name.partition("__")[0] not in known | own
        ]

    @property
    def database(self) -> str | Path:
        """Where the database is: a URL, or the path of a SQLite file."""
        return self.database_url or self.directory / "ledger.db"

    @property
    def entry_key_at(self) -> str:
        return self.entry_key or str(self.directory / "keys" / "entry.pem")

    @property
    def checkpoint_key_at(self) -> str:
        return self.checkpoint_key or str(self.directory / "keys" / "checkpoint.pem")

    @property
    def signer_memory_path(self) -> Path:
        return self.signer_memory or self.directory / "signer" / "checkpoint"

    @property
    def bounds(self) -> Bounds:
        """What may be taken before anybody is known."""
        return Bounds(
            header_timeout_s=self.header_timeout_s,
            body_timeout_s=self.body_timeout_s,
            max_header_bytes=self.max_header_bytes,
            max_connections=self.max_connections,
            max_unauthenticated_bytes=self.max_unauthenticated_bytes,
            max_authenticated_bytes=self.max_authenticated_bytes,
            trusted_proxies=tuple(self.trusted_proxies),
        )

    @property
    def known_ledgers_path(self) -> Path:
        return self.known_ledgers.expanduser()


def _named_secrets() -> dict[str, str]:
    """Return the secrets that have a variable of their own."""
    return {
        name: os.environ[known.secret_variable] for name, known in SIGNED.items() if known.secret_variable in os.environ
    }


def _is_in_file(name: str) -> bool:
    try:
        return name in tomllib.loads(read_configured(Path(SETTINGS_FILE)) or "")
    except (SetupError, ValueError):
        return False


def words_of(error: ValidationError) -> str:
    """Say in one line which setting is wrong, where it stands, and what was expected."""
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        return f"{SETTINGS_FILE}: {no_such('setting', name, list(Settings.model_fields), listed_by='docs/reference/settings.md lists all')}"
    inner = "".join(f".{part}" for part in first["loc"][1:])
    return f"setting {Settings.place_of(name)}{inner}: {misfit(first)}"
