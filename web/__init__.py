"""What people see: sign-in, the ranked list, the study page; served by WSGI."""

from datetime import timedelta
from importlib.metadata import version

from flask import Flask
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI

from web import (
    account,
    accounts,
    administration,
    audit,
    classifiers,
    errors,
    health,
    keys,
    list_choices,
    oidc,
    pixels,
    quarantine,
    ranking,
    security,
    shown,
    sources,
    stow,
    study,
    training,
    worklist_page,
)
from web.api import endpoints, pages
from web.api.shapes import Problem
from worklist import settings
from worklist.errors import Invalid
from worklist.settings import Settings

SCREENS = (
    *(account, oidc, keys, worklist_page, list_choices, study, pixels, health, stow),
    pages,
    *(administration, quarantine, sources, ranking, classifiers, training, accounts, audit),
)


def create_app(chosen: Settings | None = None) -> Flask:
    """Build the application from the settings of this process, or from others in a test.

    Raises
    ------
    Invalid
        If there is no key to sign sessions with.
    """
    effective = chosen or settings.current()
    app = OpenAPI(
        __name__,
        info=Info(title="Worklist", version=version("worklist")),
        security_schemes={"token": {"type": "http", "scheme": "bearer"}},
        doc_ui=False,
        validation_error_model=Problem,
        validation_error_callback=pages.refuse,
    )
    app.config.from_mapping(
        SECRET_KEY=_secret_key(effective),
        SESSION_COOKIE_NAME="worklist",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=effective.secure_cookies,
        # Also the age at which Flask refuses the signature of a cookie: see security.keep_alive.
        PERMANENT_SESSION_LIFETIME=timedelta(hours=effective.session_hours),
        # A form is valid as long as the session: readers leave pages open for hours.
        WTF_CSRF_TIME_LIMIT=None,
        MAX_CONTENT_LENGTH=256 * 1024,
        SETTINGS=effective,
    )
    security.protect(app)
    errors.register(app)
    shown.register(app)
    administration.register(app)
    keys.register(app)
    oidc.register(app)
    for screen in SCREENS:
        app.register_blueprint(screen.bp)
    app.register_api(endpoints.bp)
    return app


def _secret_key(effective: Settings) -> str:
    if not effective.secret_key:
        raise Invalid(
            "WORKLIST_SECRET_KEY is not set, and sign-ins are signed with it: set it to at least 32 "
            "random characters, for example the output of 'openssl rand -hex 32', kept between starts."
        )
    return effective.secret_key
