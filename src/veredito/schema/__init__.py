"""Schemas: the flat contract of a row, and its forms in JSON, msgspec, Polars and Arrow."""

from veredito.schema.compatibility import breaking_changes
from veredito.schema.field import Field
from veredito.schema.schema import Schema
from veredito.schema.settings import read_settings

__all__ = ["Field", "Schema", "breaking_changes", "read_settings"]
