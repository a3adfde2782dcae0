"""Alembic's migrations, run by service/storage/database.py without a configuration file."""
