"""Alembic's migrations: one file a change of schema, run forward at start."""
