"""The database itself: engine, tables, migrations, cursors, timers."""
