"""Who may see what: sign-in required by default, roles, forged requests, response headers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, ClassVar, ParamSpec, TypeVar

from flask import Flask, Response, abort, current_app, g, redirect, request, session, url_for
from flask_login import LoginManager, current_user, login_user, logout_user
from flask_wtf import CSRFProtect
from werkzeug.wrappers import Response as AnyResponse

from worklist import accounts, database
from worklist.reading.first_opinion import READERS
from worklist.tables import Role, User

P = ParamSpec("P")
R = TypeVar("R")

# Everything that needs no cookie ("stow" asks for a password each time); the rest is closed, also what is added
# later.
PUBLIC = frozenset(
    {
        "static",
        "account.sign_in",
        "account.begin",
        "health.live",
        "health.ready",
        "oidc.begin",
        "oidc.finish",
        "stow.store",
        "api_pages.document",
    }
)
WITH_TOKEN = frozenset({"api"})
"""Blueprints that look at a token themselves; a cookie opens nothing there."""

VIEWERS = (*READERS, Role.ADMINISTRATOR)
"""Who sees patients."""

BEFORE_PASSWORD_CHANGE = frozenset({"account.password", "account.change", "account.sign_out"})
# Sent by scripts with requests that nobody made by hand: they must not keep an empty room signed in.
BACKGROUND = "X-Background"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


# Forged requests ride on a cookie; ``stow`` takes none.
forms = CSRFProtect()


@dataclass(frozen=True)
class Person:
    """The person who is signed in, as far as a page needs to know."""

    id: int
    username: str
    display_name: str
    role: Role
    must_change_password: bool
    session_epoch: int
    preferences: Mapping[str, Any]
    has_password: bool = True

    is_authenticated: ClassVar[bool] = True
    is_active: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False

    def get_id(self) -> str:
        """Return what the signed cookie carries: the id, and the epoch that ends older sessions."""
        return f"{self.id}.{self.session_epoch}"


def protect(app: Flask) -> None:
    """Put every guard in place."""
    forms.init_app(app)
    manager = LoginManager()
    # Our own context processor: an error page must render when the database, and so the user, is away.
    manager.init_app(app, add_context_processor=False)
    manager.user_loader(_load)
    app.before_request(require_sign_in)
    app.before_request(keep_alive)
    app.after_request(add_headers)
    app.context_processor(_for_templates)


def person() -> Person:
    """Return who is signed in; only for routes that require it."""
    signed_in: Person = g.person
    return signed_in


def signed_in() -> Person | None:
    """Return who is signed in, if anybody is; for routes that are open to all."""
    return current_user._get_current_object() if current_user.is_authenticated else None


def begin_session(user: User) -> None:
    """Sign a user in with an empty session: nothing that was planted before survives."""
    session.clear()
    login_user(as_person(user))


def end_session() -> None:
    """Forget the person in this browser."""
    logout_user()
    session.clear()


def role(*allowed: Role) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Open a route to some roles only."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            if person().role not in allowed:
                names = " or ".join(one.value for one in allowed)
                abort(403, f"This needs the role {names}; you are signed in as {person().role.value}.")
            return view(*args, **kwargs)

        return guarded

    return decorate


def require_sign_in() -> AnyResponse | None:
    """Send whoever is not signed in to the sign-in page, and whoever must to the password page."""
    if request.endpoint in PUBLIC or request.blueprint in WITH_TOKEN:
        return None
    if not current_user.is_authenticated:
        return _ask_to_sign_in()
    g.person = current_user._get_current_object()
    if g.person.must_change_password and request.endpoint not in BEFORE_PASSWORD_CHANGE:
        if wants_page():
            return redirect(url_for("account.password"))
        abort(403, "Change your password first.")
    return None


def _ask_to_sign_in() -> AnyResponse | None:
    if request.endpoint is None:
        return None  # there is no such page, whoever asks
    if not wants_page():
        abort(401, "You are signed out. Sign in again.")
    back = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("account.sign_in", next=None if back == "/" else back))


def keep_alive() -> None:
    """Sign the cookie anew whenever a person opens a page or sends a form.

    Flask refuses a cookie that was signed longer than ``WORKLIST_SESSION_HOURS`` ago, which makes this the
    idle expiry. Polling does not count: a page left open would never sign out. Nor do images: one on its way
    during a sign-out would bring the cookie back.
    """
    by_hand = request.method == "POST" or "text/html" in request.headers.get("Accept", "")
    if "person" in g and by_hand and BACKGROUND not in request.headers:
        session.modified = True


def wants_page() -> bool:
    """Say whether a person looks at the answer, rather than a script."""
    if BACKGROUND in request.headers:
        return False
    accepted = request.accept_mimetypes
    return accepted.quality("text/html") >= accepted.quality("application/json")


def is_local(address: str) -> bool:
    """Say whether an address stays on this server, also for browsers that take a backslash for a slash."""
    return (
        address.startswith("/")
        and not address.startswith("//")
        and "\\" not in address
        and address.isprintable()
    )


def add_headers(response: Response) -> Response:
    """Add what tells the browser to keep out others; patient data never stays in a cache by accident."""
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _load(cookie: str) -> Person | None:
    user_id, _, epoch = cookie.partition(".")
    if not (user_id.isdecimal() and epoch.isdecimal()):
        return None  # signed by an older release
    with database.reading() as db:
        user = accounts.signed_in_user(db, int(user_id), int(epoch))
        return as_person(user) if user else None


def as_person(user: User) -> Person:
    """Return a user as the pages know them."""
    return Person(
        id=user.id,
        username=user.username,
        display_name=user.display_name,
        role=user.role,
        must_change_password=user.must_change_password,
        session_epoch=user.session_epoch,
        preferences=user.preferences,
        has_password=user.issuer is None,
    )


def _for_templates() -> dict[str, Any]:
    return {"person": g.get("person"), "settings": current_app.config["SETTINGS"]}
