"""How far retention has come, and what it waits with until somebody consents"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "retention_state",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("before_us", big, nullable=True),
        sa.Column("refused_us", big, nullable=True),
        sa.Column("refused_because", sa.String(16), nullable=True),
        sa.Column("refused_before_us", big, nullable=True),
        sa.Column("refused_records", big, nullable=True),
        sa.Column("consent_before_us", big, nullable=True),
        sa.Column("consent_records", big, nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id"),
    )
    # Whoever has a retention has a timer, a day after its last run.
    op.execute(
        "INSERT INTO retention_state (tenant_id, before_us) SELECT s.tenant_id,"
        " t.due_us - (s.retention_days + 1) * CAST(86400000000 AS BIGINT) FROM tenant_settings s"
        " JOIN timers t ON t.tenant_id = s.tenant_id AND t.work = 'retain' WHERE s.retention_days IS NOT NULL"
    )


def downgrade() -> None:
    op.drop_table("retention_state")
