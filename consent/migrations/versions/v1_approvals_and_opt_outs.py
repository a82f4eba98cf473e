"""The first tables. They were made before versions were counted, so they may be there already."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make courses, approvals and opt-outs, where they are missing."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "courses",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String, nullable=False, unique=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("recorded_at", moment, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("course_id", sa.Integer, sa.ForeignKey("courses.id"), nullable=False),
        sa.Column("approved_by", sa.String, nullable=False),
        sa.Column("valid_from", sa.Date, nullable=False),
        sa.Column("valid_until", sa.Date),
        sa.Column("evidence_name", sa.String),
        sa.Column("evidence_sha256", sa.String(64)),
        sa.Column("recorded_at", moment, nullable=False),
        sa.CheckConstraint("valid_until IS NULL OR valid_until >= valid_from", name="ends_after_start"),
        if_not_exists=True,
    )
    op.create_index("ix_approvals_course_id", "approvals", ["course_id"], if_not_exists=True)
    op.create_table(
        "opt_outs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("course_id", sa.Integer, sa.ForeignKey("courses.id"), nullable=False),
        sa.Column("student", sa.String, nullable=False),
        sa.Column("zone", sa.JSON(none_as_null=True)),
        sa.Column("recorded_at", moment, nullable=False),
        sa.Column("withdrawn_at", moment),
        if_not_exists=True,
    )
    op.create_index("ix_opt_outs_course_id", "opt_outs", ["course_id"], if_not_exists=True)
