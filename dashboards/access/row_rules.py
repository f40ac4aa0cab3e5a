"""Roles, and Superset's own row rules: text that Superset adds to a query."""

from __future__ import annotations

from superset import db, security_manager
from superset.connectors.sqla.models import RowLevelSecurityFilter, SqlaTable

from dashboards.access.access_file import Access, AccessError
from dashboards.access.stores import (
    ADMINISTRATOR,
    ANALYST,
    EVERY_STORE,
    NO_ROW,
    Stores,
    postgresql_literal,
    region_role,
    row_role,
    text_literal,
)
from notify.episodes import COVERED
from serving_database import serving_database

# what Superset calls the filter type, the group key, the clause, the roles and the tables of a rule
Rule = tuple[str, str | None, str, list[str], list[SqlaTable]]


def set_roles(access: Access) -> None:
    """Give managers what they may do, and make a role for each store. What a role is no longer given is taken away."""
    datasets = [
        security_manager.add_permission_view_menu("datasource_access", dataset.get_perm())
        for dataset in db.session.query(SqlaTable)
    ]
    for name, permissions in access.permissions.items():
        role = security_manager.add_role(name)
        granted = [security_manager.find_permission_view_menu(*permission) for permission in permissions]
        unknown = [permission for permission, found in zip(permissions, granted, strict=True) if found is None]
        if unknown:
            raise AccessError(f"access.yml: Superset knows no permission {unknown}")
        role.permissions = granted + datasets
    for name in access.row_roles:
        security_manager.add_role(name)
    db.session.commit()


def set_row_rules(access: Access) -> None:
    """One rule for each store's role, and a base rule that shows nothing to a person without such a role.

    They are one group, which opens rows together. Each rule of another group leaves out what its role would see twice.
    """
    literal = postgresql_literal if serving_database() else text_literal
    datasets = db.session.query(SqlaTable).all()
    with_store = [dataset for dataset in datasets if "store_location" in dataset.column_names]
    rules: dict[str, Rule] = {"no role, no rows": ("Base", None, NO_ROW, [ADMINISTRATOR, *access.row_roles], datasets)}
    for store in access.stores:
        role = row_role(store)
        rules[role] = ("Regular", "store", Stores(frozenset({store})).condition(literal=literal), [role], with_store)
    with_region = [dataset for dataset in with_store if "region" in dataset.column_names]
    with_covered = [dataset for dataset in with_region if COVERED in dataset.column_names]
    seeing_all = [ADMINISTRATOR, EVERY_STORE, *({ANALYST} & access.permissions.keys())]
    shown = {"everything": (Stores(every=True), seeing_all)}
    for region in access.regions:
        role, stores = region_role(region), Stores(regions=frozenset({region}))
        rules[role] = ("Regular", "store", stores.condition(["region"], literal), [role], with_region)
        shown[role] = (stores, [role])
    for name, (stores, roles) in shown.items():
        group = f"shown once: {name}"
        rules[group] = ("Regular", group, stores.shown_once([COVERED], literal), roles, with_covered)
    known = {rule.name: rule for rule in db.session.query(RowLevelSecurityFilter)}
    for name in known.keys() - rules.keys():
        db.session.delete(known[name])
    roles_by_name = {role.name: role for role in security_manager.get_all_roles()}
    for name, (kind, group_key, clause, roles, tables) in rules.items():
        rule = known.get(name) or RowLevelSecurityFilter(name=name)
        rule.filter_type, rule.clause, rule.group_key = kind, clause, group_key
        rule.roles = [roles_by_name[role] for role in roles]
        rule.tables = tables
        db.session.add(rule)
    db.session.commit()
