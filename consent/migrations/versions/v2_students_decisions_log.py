"""Purposes of approvals; students, their seats and decisions; the log."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add them; approvals on record get the purposes that they meant when they were given."""
    moment = sa.DateTime(timezone=True)
    purposes = sa.Column("purposes", sa.JSON, nullable=False, server_default='["recording", "analysis"]')
    op.add_column("approvals", purposes)
    op.create_table(
        "students",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("course_id", sa.Integer, sa.ForeignKey("courses.id"), nullable=False),
        sa.Column("pseudonym", sa.String, nullable=False),
        sa.Column("name_token", sa.Text),
        sa.Column("recorded_at", moment, nullable=False),
        sa.UniqueConstraint("course_id", "pseudonym", name="one_row_per_pseudonym"),
    )
    op.create_table(
        "seats",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("student_id", sa.Integer, sa.ForeignKey("students.id"), nullable=False),
        sa.Column("zone", sa.JSON, nullable=False),
        sa.Column("recorded_at", moment, nullable=False),
    )
    op.create_index("ix_seats_student_id", "seats", ["student_id"])
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("student_id", sa.Integer, sa.ForeignKey("students.id"), nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("granted", sa.Boolean, nullable=False),
        sa.Column("form_version", sa.String(64)),
        sa.Column("recorded_at", moment, nullable=False),
    )
    op.create_index("ix_decisions_student_id", "decisions", ["student_id"])
    op.create_table(
        "log",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
    )
