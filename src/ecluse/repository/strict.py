"""How every settings model reads: frozen, no unknown field, no type but the one asked for."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A part of a settings file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
