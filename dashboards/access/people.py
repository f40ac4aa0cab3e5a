"""The people and roles that access.yml lists, and no others: a person who is no longer listed is signed out at once."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

# Superset makes these itself at each apply; only the first is given to anybody
BUILT_IN_ROLES = {"Admin", "Alpha", "Gamma", "Public", "sql_lab"}


def admit(home: Path, users: dict[str, dict[str, Any]]) -> None:
    """Give each user the listed name and roles; a new or returning one a new password, in `home`/passwords."""
    from superset import db, security_manager

    for login, person in users.items():
        first, _, last = person["name"].partition(" ")
        roles = [security_manager.find_role(role) for role in person["roles"]]
        user = security_manager.find_user(login)
        if user is None:
            password = _new_password(home, login)
            security_manager.add_user(login, first, last, f"{login}@example.invalid", roles, password)
            continue
        user.first_name, user.last_name, user.roles = first, last, roles
        if not user.is_active:
            user.active = True
            security_manager.reset_password(user.id, _new_password(home, login))
    db.session.commit()


def revoke(home: Path, users: dict[str, dict[str, Any]], roles: Iterable[str], say: Callable[[str], None]) -> None:
    """Remove what is not listed: roles from users, the accounts of all others, and roles that nobody should have.

    It does not matter who made them. The account of a removed person stays, inactive, since charts refer to it. Its new
    password, which nobody knows, ends all sessions and tokens for good, even if the person is listed again.
    """
    from superset import db, security_manager

    for user in security_manager.get_all_users():
        listed = users.get(user.username)
        user.roles = [role for role in user.roles if listed and role.name in listed["roles"]]
        user.groups = []
        if listed:
            continue
        (home / "passwords" / user.username).unlink(missing_ok=True)
        if user.is_active:
            user.active = False
            security_manager.reset_password(user.id, secrets.token_urlsafe(32))
            say(f"{user.username} is not in access.yml and can no longer sign in")
    for role in security_manager.get_all_roles():
        if role.name not in {*roles, *BUILT_IN_ROLES}:
            db.session.delete(role)
            say(f"role {role.name} is not in access.yml and is removed")
    db.session.commit()


def _new_password(home: Path, login: str) -> str:
    """A password of a user's own, written where only this user of the machine reads it; one that is there is kept."""
    path = home / "passwords" / login
    if not path.exists() or not path.read_text():  # a full disk leaves an empty file
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(f"{secrets.token_urlsafe(12)}-aA1!\n")
    return path.read_text().strip()
