"""Sign-in at the hospital's identity provider: OpenID Connect, authorization code flow with PKCE.

References
----------
OpenID Connect Core 1.0, 3.1; RFC 7636 (PKCE); OpenID Connect RP-Initiated Logout 1.0.
"""

from typing import Any, cast

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import Blueprint, Flask, current_app, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from joserfc.errors import JoseError
from requests import RequestException

from web import security
from worklist import clock, database, logs, settings
from worklist.accounts import identity_provider
from worklist.errors import Conflict, Invalid
from worklist.settings import Settings
from worklist.tables import User

log = logs.logger(__name__)

bp = Blueprint("oidc", __name__)

PROVIDER = "worklist.oidc"
ANSWER_SECONDS = 10
# For how long somebody who has just proved who they are may sign an act.
PROOF_SECONDS = 300
# Kept in the session: where to go afterwards, and whether it is to prove who they are once more.
PURPOSE, PROVED_AT, BY_PROVIDER = "oidc_purpose", "oidc_proved_at", "oidc"

ELSEWHERE = "This sign-in was begun in another browser, or is over. Try again."


def register(app: Flask) -> None:
    """Offer the provider's sign-in if one is set.

    Raises
    ------
    Invalid
        If something is missing that it needs.
    """
    effective: Settings = app.config["SETTINGS"]
    app.jinja_env.globals.update(proved=proved)
    if not effective.oidc_issuer:
        return
    for name in ("public_url", "oidc_client_id", "oidc_client_secret", "oidc_roles"):
        if not getattr(effective, name):
            raise Invalid(
                f"WORKLIST_OIDC_ISSUER is set, but not {settings.PREFIX}{name.upper()}, which it needs."
            )
    app.extensions[PROVIDER] = OAuth(app).register(
        "provider",
        client_id=effective.oidc_client_id,
        client_secret=effective.oidc_client_secret,
        server_metadata_url=f"{effective.oidc_issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid profile email",
            "code_challenge_method": "S256",
            "default_timeout": ANSWER_SECONDS,
        },
    )


@bp.get("/sign-in/provider")
def begin() -> ResponseReturnValue:
    """Send the browser to the provider."""
    address = request.args.get("next", "")
    again = request.args.get("again") == "yes"
    try:
        _check_issuer()
        # "prompt" and "max_age" make the provider ask also those who are signed in there.
        extra = {"prompt": "login", "max_age": 0} if again else {}
        answer = _provider().authorize_redirect(_address(".finish"), **extra)
    except (RequestException, AuthlibBaseError, ValueError) as error:
        return _refuse(_unreachable(error), 503)
    session[PURPOSE] = {"next": address if security.is_local(address) else "", "again": again}
    return cast(ResponseReturnValue, answer)


@bp.get("/sign-in/provider/answer")
def finish() -> ResponseReturnValue:
    """Take what the provider says and begin a session, or prove who asks."""
    purpose = session.pop(PURPOSE, None)
    if purpose is None:
        return _refuse(ELSEWHERE, 400)
    try:
        claims = _claims()
    except RequestException as error:
        return _refuse(_unreachable(error), 503)
    except (AuthlibBaseError, JoseError, ValueError) as error:
        log.warning("sign-in at the provider failed", error=type(error).__name__)
        return _refuse(_refusal(error), 400)
    return _prove(claims, purpose["next"]) if purpose["again"] else _sign_in(claims, purpose["next"])


def sign_out_address() -> str:
    """Return where a browser goes so that its session at the provider ends too; empty: nowhere."""
    if not session.get(BY_PROVIDER):
        return ""
    try:
        end = _provider().load_server_metadata().get("end_session_endpoint")
        if not end:
            return ""
        back = _address("account.sign_in")
        address = _provider().create_logout_url(back, client_id=_provider().client_id)["url"]
    except (RequestException, ValueError, Invalid):
        # Not to be reached, or not in use any more: the session here ends all the same.
        return ""
    return str(address)


def proved() -> bool:
    """Say whether the person has proved at the provider who they are, a few minutes ago at most."""
    return bool(_seconds() - session.get(PROVED_AT, 0) < PROOF_SECONDS)


def use_proof() -> bool:
    """Say the same, and let it count once."""
    was_proved = proved()
    session.pop(PROVED_AT, None)
    return was_proved


def _sign_in(claims: dict[str, Any], address: str) -> ResponseReturnValue:
    chosen = settings.current()
    person = identity_provider.identity(chosen.oidc_issuer, claims, chosen.oidc_groups_claim)
    try:
        with database.transaction() as db:
            user = identity_provider.sign_in(db, person, chosen.role_of_group)
    except (Invalid, Conflict) as error:
        return _refuse(str(error), 403)
    security.begin_session(user)
    session[BY_PROVIDER] = True
    return redirect(address or url_for("worklist_page.page"))


def _prove(claims: dict[str, Any], address: str) -> ResponseReturnValue:
    person = security.signed_in()
    if person is None:
        return redirect(url_for("account.sign_in", next=address))
    with database.reading() as db:
        user = db.get_one(User, person.id)
        is_them = (user.issuer, user.subject) == (settings.current().oidc_issuer, str(claims["sub"]))
    is_fresh = _seconds() - int(claims.get("auth_time") or 0) < PROOF_SECONDS
    if is_them and is_fresh:
        session[PROVED_AT] = _seconds()
    else:
        flash(
            "You signed in there as somebody else." if not is_them else "The provider did not ask who you are."
        )
    return redirect(address or url_for("worklist_page.page"))


def _claims() -> dict[str, Any]:
    """Fetch the tokens; return the claims of the ID token, and of the user info endpoint if there is one."""
    _check_issuer()
    token = _provider().authorize_access_token()
    claims: dict[str, Any] = dict(token.get("userinfo") or {})
    if not claims.get("sub"):
        raise ValueError("no ID token")
    if _provider().load_server_metadata().get("userinfo_endpoint"):
        further = dict(_provider().userinfo(token=token))
        if further.get("sub") != claims["sub"]:  # OpenID Connect Core 1.0, 5.3.2
            raise ValueError("user info of somebody else")
        claims = {**further, **claims}
    return claims


def _check_issuer() -> None:
    """Raise `ValueError` if the provider calls itself something else (OpenID Connect Discovery 1.0, 4.3)."""
    named = _provider().load_server_metadata().get("issuer")
    if named != settings.current().oidc_issuer:
        raise ValueError(f"the provider calls itself {named}")


def issuer() -> str:
    """Return who vouches for people here.

    Raises
    ------
    Invalid
        If nobody does.
    """
    named = settings.current().oidc_issuer
    if not named:
        raise Invalid("Here nobody signs in at an identity provider: WORKLIST_OIDC_ISSUER is not set.")
    return named


def _provider() -> Any:
    issuer()
    return current_app.extensions[PROVIDER]


def _seconds() -> int:
    """Return the time as tokens tell it: seconds since 1970 (RFC 7519, NumericDate)."""
    return int(clock.now().timestamp())


def _address(endpoint: str) -> str:
    return f"{settings.current().public_url.rstrip('/')}{url_for(endpoint)}"


def _unreachable(error: Exception) -> str:
    log.warning("identity provider not reached", error=str(error))
    name = settings.current().oidc_name
    return f"{name[:1].upper()}{name[1:]} cannot be asked at the moment. A local account works all the same."


def _refusal(error: Exception) -> str:
    if getattr(error, "error", "") == "access_denied":
        return "The sign-in was cancelled there."
    if getattr(error, "error", "") == "mismatching_state":
        return ELSEWHERE
    return "The answer of the provider is not valid: nobody is signed in. Try again, or ask an administrator."


def _refuse(sentence: str, status: int) -> ResponseReturnValue:
    return render_template("account/sign_in.html", next="", refusal=sentence), status
