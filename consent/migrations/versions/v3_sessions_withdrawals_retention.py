"""Where sessions lie, who withdrew and whether that has been carried out, and how long data is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the tables."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("course_id", sa.Integer, sa.ForeignKey("courses.id"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("created", sa.String(40), nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("recorded_at", moment, nullable=False),
        sa.Column("deleted_at", moment),
    )
    op.create_index("ix_sessions_course_id", "sessions", ["course_id"])
    op.create_table(
        "withdrawals",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("student_id", sa.Integer, sa.ForeignKey("students.id"), nullable=False),
        sa.Column("recorded_at", moment, nullable=False),
        sa.Column("done_at", moment),
    )
    op.create_index("ix_withdrawals_student_id", "withdrawals", ["student_id"])
    op.create_table(
        "retention",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("course_id", sa.Integer, sa.ForeignKey("courses.id"), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("days", sa.Integer, nullable=False),
        sa.Column("recorded_at", moment, nullable=False),
    )
    op.create_index("ix_retention_course_id", "retention", ["course_id"])
