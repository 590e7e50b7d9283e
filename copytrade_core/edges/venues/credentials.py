"""An account's key at a venue, kept so that no print, log or error shows it. Where it comes from is not known here."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from copytrade_core.model.errors import BadConfig, Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """API key and secret.

    Raises:
        BadConfig: one of them is missing or has space around it; the text itself is not shown.
    """

    api_key: SecretStr
    secret: SecretStr

    def __post_init__(self) -> None:
        for field, value in (("api_key", self.api_key), ("secret", self.secret)):
            text = value.get_secret_value()
            if not text or text != text.strip():
                raise BadConfig(
                    "the venue's credentials are missing or have space around them",
                    where=Where(field=field),
                    next_step="Set it in the environment of the process that trades",
                )

    def hide_in(self, text: str) -> str:
        """The text with key and secret blotted out, should a venue have echoed them."""
        for value in (self.api_key, self.secret):
            text = text.replace(value.get_secret_value(), "**********")
        return text
