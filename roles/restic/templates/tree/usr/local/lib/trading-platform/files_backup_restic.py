"""Asks restic, and says what to do where it refuses. Managed by Ansible (role restic)."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from files_backup_host import Trouble, called

# Seconds that S3 has for its first answer.
FIRST_ANSWER = 120
# What to do, by what restic says.
ADVICE = {
    "wrong password": "The passphrase is not this repository's: correct restic_repository.passphrase.",
    "Access Denied|AccessDenied|SignatureDoesNotMatch|InvalidAccessKey": "S3 refuses the key: correct key_id and "
    "key_secret, or what the key may do.",
    "bucket does not exist": "Make the bucket, or correct its name.",
    "x509": "S3's certificate is not the one of ca_file's CA, or not for that name.",
    "dial tcp|timeout|deadline|EOF|50[0-9] ": "S3 does not answer: once it does, the next run makes up for this one.",
    "already locked": "Another restic works in the repository, or one died elsewhere: wait half an hour.",
    "verification failed|does not match|invalid data": "Objects in the bucket are damaged: bring them back from the "
    "bucket's versions, or restore from another copy.",
}


@dataclass(frozen=True)
class Settings:
    """What the role decides. environment holds the secrets."""

    host: str
    metrics: str
    words: Sequence[str]
    keep: Sequence[str]
    environment: Mapping[str, str]
    sets: Sequence[Mapping[str, Any]]


def advice(said: str) -> str:
    return next((what for sign, what in ADVICE.items() if re.search(sign, said)), "")


def unmade(said: str) -> bool:
    """Whether S3 answered, and there is no repository. restic asks the same question where S3 is away."""
    return "bucket does not exist" not in said and bool(re.search("(key|repository) does not exist", said))


def restic(told: Settings, *words: str, patience: float | None = None) -> str:
    """A cache would keep a damaged object after S3 has the right one again."""
    try:
        said, warned = called(["restic", "--no-cache", *told.words, *words], told.environment, patience)
    except Trouble as trouble:
        raise Trouble(f"{trouble}\n{advice(str(trouble))}".strip()) from None
    sys.stdout.write(warned)
    return said


def copies(told: Settings) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads(
        restic(told, "snapshots", "--no-lock", "--json", "--host", told.host, patience=FIRST_ANSWER)
    )
    return found
