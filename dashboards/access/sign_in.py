"""Signing in and staying signed in.

A session and a token carry a digest of the password that opened them, and are worth nothing once the password is
another one. So a new password ends all other sessions of its user, and a removed person has none left.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Any

from flask import Flask, Response, abort, current_app, g, request, session
from flask_login import user_logged_in
from superset.security import SupersetSecurityManager

from dashboards.access.failed_sign_ins import count_failure, may_try
from dashboards.access.own_password import OthersAccountApi, OthersPasswordView, OwnPasswordView

DIGEST = "_password_digest"
SIGN_IN_PATHS = {"/login", "/api/v1/security/login"}


class SecurityManager(SupersetSecurityManager):
    """Superset's, with sessions and tokens that end with the password that opened them."""

    resetmypasswordview = OwnPasswordView
    resetpasswordview = OthersPasswordView
    user_api = OthersAccountApi

    def auth_user_db(self, username: str, password: str) -> Any:
        user = super().auth_user_db(username, password)
        if user is None:
            count_failure(username)
        return user

    def load_user(self, pk: str) -> Any:
        user = super().load_user(pk)
        return user if user and session.get(DIGEST) == _digest(user) else None

    def load_user_jwt(self, _header: dict[str, Any], claims: dict[str, Any]) -> Any:
        user = super().load_user(claims["sub"])
        if user is None or claims.get(DIGEST) != _digest(user):
            return None
        g.user = user
        return user

    def create_jwt_manager(self, app: Flask) -> Any:
        manager = super().create_jwt_manager(app)
        manager.additional_claims_loader(lambda identity: {DIGEST: _digest(self.get_user_by_id(int(identity)))})
        return manager

    def reset_password(self, userid: str | int, password: str) -> None:
        super().reset_password(userid, password)
        # nobody is signed in where a command resets a password
        g.sets_own_password = str(getattr(g.get("user"), "id", None)) == str(userid)


def protect_sign_in(app: Flask) -> None:
    """Refuse after too many failures, renew the session at each sign-in, and ask for the current password."""
    from dashboards.access.own_account import ask_for_current_password

    ask_for_current_password()
    user_logged_in.connect(_start_session, app)
    app.session_interface.should_set_cookie = _has_new_id
    app.before_request(_refuse_after_failures)
    app.after_request(_keep_own_session)


def _digest(user: Any) -> str:
    return hmac.digest(current_app.secret_key.encode(), user.password.encode(), "sha256").hex()


def _start_session(_app: Flask, user: Any) -> None:
    """Bind the session to the user's password, under a new id: somebody may have planted the old one.

    What the session held before stays under the old id, anonymous. A request that is still under way with that id
    would otherwise find nothing, open a session of its own and bring that to the browser after this one.
    """
    session.sid = secrets.token_urlsafe(current_app.session_interface.sid_length)
    session[DIGEST] = _digest(user)


def _has_new_id(app: Flask, opened: Any) -> bool:
    """Whether an answer carries the session cookie: only if the browser did not send the same id.

    The sign-in page writes to the log while somebody signs in. That answer would bring back the old id if it came last.
    """
    return bool(opened.sid != request.cookies.get(app.config["SESSION_COOKIE_NAME"]))


def _refuse_after_failures() -> None:
    if request.method != "POST" or request.path.rstrip("/") not in SIGN_IN_PATHS:
        return
    body = request.get_json(silent=True) if request.is_json else request.form
    account = body.get("username") if hasattr(body, "get") else None
    if not may_try(str(account)):
        abort(429, "Too many failed sign-ins. Try again in a minute.")


def _keep_own_session(response: Response) -> Response:
    """Let the session that has just changed its own password go on; all others of its user end."""
    if g.pop("sets_own_password", False) and response.status_code < 400 and "_user_id" in session:
        _start_session(current_app, g.user)
    return response
