"""The ranked list: the page, and the fragment that keeps it up to date."""

from flask import Blueprint

bp = Blueprint("worklist_page", __name__)


@bp.get("/")
def page() -> str:
    """Show the ranked list."""
    return ""
