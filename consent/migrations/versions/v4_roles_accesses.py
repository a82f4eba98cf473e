"""Who may see what in the dashboard, and who looked at a single student or was refused."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the tables."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "roles",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("course_id", sa.Integer, sa.ForeignKey("courses.id")),
        sa.Column("recorded_at", moment, nullable=False),
        sa.Column("revoked_at", moment),
    )
    op.create_index("ix_roles_account", "roles", ["account"])
    op.create_table(
        "accesses",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("course_id", sa.Integer, sa.ForeignKey("courses.id")),
        sa.Column("session", sa.Text),
        sa.Column("student", sa.Integer),
        sa.Column("details", sa.Text),
        sa.Column("recorded_at", moment, nullable=False),
    )
    op.create_index("ix_accesses_course_id", "accesses", ["course_id"])
