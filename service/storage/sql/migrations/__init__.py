"""Alembic's migrations, run by service/storage/sql/engine.py without a configuration file."""
