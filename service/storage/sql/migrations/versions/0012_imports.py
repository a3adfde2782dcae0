"""Files that people upload in the console, and what became of them"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "imports",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("at_us", big, nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("bytes", big, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False, server_default="0"),
        sa.Column("began_us", big),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("oldest_us", big),
        sa.Column("sent", big, nullable=False, server_default="0"),
        sa.Column("position", big, nullable=False, server_default="0"),
        sa.Column("result", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("done_us", big),
        sa.Column("secret", sa.Text()),
        sa.Column("preview", sa.LargeBinary()),
        sa.Column("report", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("imports_by_tenant", "imports", ["tenant_id", "at_us"])
    op.create_table(
        "import_chunks",
        sa.Column("import_id", sa.String(40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("import_id", "number"),
    )


def downgrade() -> None:
    op.drop_table("import_chunks")
    op.drop_table("imports")
