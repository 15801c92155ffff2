"""Steps from one schema to the next; alembic runs them in order."""
