"""Roles, and Superset's own row rules: text that Superset adds to a query."""

from __future__ import annotations

from superset import db, security_manager
from superset.connectors.sqla.models import RowLevelSecurityFilter, SqlaTable

from dashboards.access.access_file import Access, AccessError
from dashboards.access.stores import ADMINISTRATOR, NO_ROW, Stores, region_role, row_role


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
    """One rule for each store's role, and a base rule that shows nothing to a person without such a role."""
    datasets = db.session.query(SqlaTable).all()
    with_store = [dataset for dataset in datasets if "store_location" in dataset.column_names]
    rules = {"no role, no rows": ("Base", NO_ROW, [ADMINISTRATOR, *access.row_roles], datasets)}
    for store in access.stores:
        role = row_role(store)
        rules[role] = ("Regular", Stores(frozenset({store})).condition(), [role], with_store)
    with_region = [dataset for dataset in with_store if "region" in dataset.column_names]
    for region in access.regions:
        role = region_role(region)
        condition = Stores(regions=frozenset({region})).condition(with_region=True)
        rules[role] = ("Regular", condition, [role], with_region)
    known = {rule.name: rule for rule in db.session.query(RowLevelSecurityFilter)}
    for name in known.keys() - rules.keys():
        db.session.delete(known[name])
    roles_by_name = {role.name: role for role in security_manager.get_all_roles()}
    for name, (kind, clause, roles, tables) in rules.items():
        rule = known.get(name) or RowLevelSecurityFilter(name=name)
        rule.filter_type, rule.clause, rule.group_key = kind, clause, "store" if kind == "Regular" else None
        rule.roles = [roles_by_name[role] for role in roles]
        rule.tables = tables
        db.session.add(rule)
    db.session.commit()
