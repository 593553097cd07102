"""Every ``WORKLIST_*`` environment variable, typed, with unit and default; checked once at the start.

A secret can also be given as a file: ``WORKLIST_SECRET_KEY_FILE`` names it. ``docs/settings.md`` describes
each one; a test fails when one is missing there.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from worklist.errors import Invalid

PREFIX = "WORKLIST_"
# Named here as well, since the settings stand on nothing; a test compares.
BODY_PARTS = ("ELBOW", "FINGER", "FOREARM", "HAND", "HUMERUS", "SHOULDER", "WRIST")
VIEW_KINDS = ("frontal", "lateral", "oblique", "axial")
SECRETS = ("secret_key", "database_url", "broker_url", "oidc_client_secret")
# A role from a group at the identity provider; role service is for programs with passwords.
OIDC_ROLES = ("reader", "lead", "administrator", "auditor")


class Settings(BaseSettings):
    """The effective settings of this process: read once, frozen."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    data_folder: Path = Field(
        Path("var"), description="Folder of archive, spool, cache and the SQLite database"
    )
    database_url: str = Field("", description="SQLAlchemy URL; empty: SQLite in the data folder")
    broker_url: str = Field("redis://127.0.0.1:6379/0", description="Redis or Valkey, as an URL")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    demo: bool = Field(
        False, description="Score with the demo classifier and mark every score as not validated"
    )

    receiver_host: str = Field("0.0.0.0", description="Address the DICOM receiver listens on")  # noqa: S104
    receiver_port: int = Field(11112, ge=1, le=65535, description="Port of the DICOM receiver")
    ae_title: str = Field("WORKLIST", min_length=1, max_length=16, description="Our AE title")
    require_called_ae_title: bool = Field(False, description="Refuse associations that call another AE title")
    tls_certificate: str = Field(
        "", description="PEM file of our certificate and its chain; with it the receiver speaks TLS"
    )
    tls_key: str = Field("", description="PEM file of the certificate's key, without a password")
    tls_client_ca: str = Field(
        "", description="PEM file of the CAs whose certificates peers must show; empty: none is asked for"
    )
    tls_port: int = Field(
        2762, ge=1, le=65535, description="Port of DICOM over TLS; that of the receiver: TLS only"
    )
    maximum_associations: int = Field(64, ge=1, description="Associations served at the same time")
    maximum_object_bytes: int = Field(
        2 * 1024**3, ge=1024, description="Largest accepted DICOM object, in bytes"
    )
    minimum_free_bytes: int = Field(
        1024**3, ge=0, description="Free bytes on the archive disk below which images are refused (0xA700)"
    )

    quiet_seconds: float = Field(
        60, gt=0, description="Seconds without a new image after which a study is complete"
    )
    expected_views: str = Field(
        "ELBOW=frontal+lateral, FINGER=frontal+lateral+oblique, FOREARM=frontal+lateral, HAND=frontal+oblique, "
        "HUMERUS=frontal+lateral, SHOULDER=frontal+oblique, WRIST=frontal+lateral+oblique",
        description="Views with which a study of a body part is complete early; empty: never",
    )
    expected_views_seconds: float = Field(
        5,
        gt=0,
        description="Seconds without a new image after which a study with all expected views is complete",
    )
    completion_limit_seconds: float = Field(
        900, gt=0, description="Seconds after the first image at which a study is complete in any case"
    )
    analysis_lease_seconds: float = Field(
        20,
        gt=1,
        description="Seconds without a sign of life after which an analysis is given to another worker",
    )
    analysis_batch_size: int = Field(8, ge=1, le=64, description="Images that go through the network together")
    engine: Literal["auto", "openvino", "tensorflow"] = Field(
        "auto", description="What runs the classifier: auto, openvino or tensorflow"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Numbers the classifier computes in: float32, or bfloat16 once its loss was measured",
    )
    sweep_seconds: float = Field(5, gt=0, description="Seconds between two sweeps for lost work")
    imagenet_weights: str = Field(
        "", description="File with ImageNet's weights of DenseNet201, to start a training from"
    )

    anti_bias: bool = Field(
        False, description="Readers give a first opinion before they see what the classifier says"
    )

    second_reading_share: float = Field(
        0,
        ge=0,
        le=1,
        description="Share of the studies that a second reader judges without knowing the first verdict",
    )

    web_host: str = Field("127.0.0.1", description="Address of the web server")
    web_port: int = Field(8000, ge=1, le=65535, description="Port of the web server")
    flower_port: int = Field(5555, ge=1, le=65535, description="Port of Flower on the loopback address")
    secret_key: str = Field("", description="Key that signs sessions; at least 32 characters")
    secure_cookies: bool = Field(False, description="Send cookies over HTTPS only (set it behind TLS)")
    session_hours: float = Field(12, gt=0, description="Hours without activity after which a sign-in expires")
    claim_lease_seconds: float = Field(
        300, gt=5, description="Seconds after which a reader's claim ends unless the open page renews it"
    )
    public_url: str = Field("", description="Address at which browsers reach the web server")
    oidc_issuer: str = Field("", description="Issuer of the OpenID provider that people sign in with")
    oidc_name: str = Field("your hospital account", description="What the sign-in page calls that provider")
    oidc_client_id: str = Field("", description="Client ID with which we are registered there")
    oidc_client_secret: str = Field("", description="Client secret that belongs to it")
    oidc_groups_claim: str = Field("groups", description="Claim that lists a person's groups")
    oidc_roles: str = Field("", description="Group at the provider = role here; the first that fits counts")

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
        return value.upper()

    @field_validator("expected_views")
    @classmethod
    def _known_views(cls, value: str) -> str:
        for entry in filter(None, value.replace(" ", "").split(",")):
            part, _, kinds = entry.partition("=")
            if part not in BODY_PARTS or not set(kinds.split("+")) <= set(VIEW_KINDS):
                raise ValueError(
                    f"{entry} is not like WRIST=frontal+lateral, with one of {', '.join(BODY_PARTS)} and "
                    f"one or more of {', '.join(VIEW_KINDS)}"
                )
        return value

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: str) -> str:
        if value and len(value) < 32:
            raise ValueError("must have at least 32 characters")
        return value

    @field_validator("public_url", "oidc_issuer")
    @classmethod
    def _safe_address(cls, value: str) -> str:
        address = urlsplit(value)
        is_here = address.scheme == "http" and address.hostname in {"localhost", "127.0.0.1", "::1"}
        if value and not (address.netloc and (address.scheme == "https" or is_here)):
            raise ValueError("must begin with https:// (http:// only on this computer itself)")
        return value

    @field_validator("oidc_roles")
    @classmethod
    def _known_roles(cls, value: str) -> str:
        for entry in filter(None, map(str.strip, value.split(";"))):
            group, _, role = entry.rpartition("=")
            if not group.strip() or role.strip() not in OIDC_ROLES:
                raise ValueError(
                    f"{entry} is not like Radiologists=reader, with one of {', '.join(OIDC_ROLES)}"
                )
        return value

    @property
    def role_of_group(self) -> dict[str, str]:
        """Group at the identity provider → role, in the order in which they count."""
        entries = (entry.rpartition("=") for entry in self.oidc_roles.split(";") if entry.strip())
        return {group.strip(): role.strip() for group, _, role in entries}

    @property
    def uses_tls(self) -> bool:
        """Is DICOM over TLS asked for? Half of the pair is a mistake, and said at the start."""
        return bool(self.tls_certificate or self.tls_key or self.tls_client_ca)

    @property
    def effective_database_url(self) -> str:
        """The database in use: the one that was named, or SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.data_folder.resolve() / 'worklist.sqlite'}"

    @property
    def archive_folder(self) -> Path:
        """Where received files are kept."""
        return self.data_folder / "archive"

    @property
    def classifier_folder(self) -> Path:
        """Where the weights of registered classifier versions are kept, each under its hash."""
        return self.data_folder / "classifiers"

    @property
    def training_folder(self) -> Path:
        """Where training runs have their snapshots and checkpoints."""
        return self.data_folder / "training"

    @property
    def cache_folder(self) -> Path:
        """Where display copies lie; anything in it can be deleted at any time."""
        return self.data_folder / "cache"


def _from_files() -> dict[str, Any]:
    """Read secrets that are given as ``NAME_FILE``, the way container platforms hand them over."""
    values: dict[str, Any] = {}
    for name in SECRETS:
        path = os.environ.get(f"{PREFIX}{name.upper()}_FILE")
        if path:
            try:
                values[name] = Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise Invalid(
                    f"{PREFIX}{name.upper()}_FILE names {path}, which cannot be read: {error.strerror}."
                ) from error
    return values


def load(**overrides: Any) -> Settings:
    """Read and check the environment.

    Raises
    ------
    Invalid
        One sentence for each variable that breaks its rule.
    """
    try:
        return Settings(**{**_from_files(), **overrides})
    except ValidationError as error:
        raise Invalid(" ".join(_sentence(item) for item in error.errors())) from error


def child_environment(**values: object) -> dict[str, str]:
    """Return this process's environment with other settings, for a process that we start."""
    named = {f"{PREFIX}{name.upper()}": str(value) for name, value in values.items()}
    return {**os.environ, **named}


def replace(**values: object) -> None:
    """Change the environment of this process and of those that it starts, and read it again."""
    os.environ.update(child_environment(**values))
    current.cache_clear()


def _sentence(item: Any) -> str:
    name = "_".join(str(part) for part in item["loc"])
    value = "(secret)" if name in SECRETS else repr(item["input"])
    return f"{PREFIX}{name.upper()}={value} is not allowed: {item['msg'].removeprefix('Value error, ')}."


@lru_cache(maxsize=1)
def current() -> Settings:
    """Return the settings of this process, read at the first call."""
    return load()
