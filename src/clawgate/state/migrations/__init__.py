"""Holds the steps that bring a database from one version to the next, one module for each, run by `state.migrate`.

Law: two neighbouring versions of clawgate may run side by side on one database. So a change comes as a pair with one
number. `NNNN_expand` only adds what the version before can ignore: a table, a column that is NULL or has a default, an
index; a gateway runs it when it starts. `NNNN_contract` removes what no version after NNNN - 1 uses, or makes it
stricter; it is left out where there is nothing to remove, and runs by command, or with the next expansion. A program
opens a database that is up to one expansion ahead of it, and no other newer one.
A module here is not edited once it was released. It must not import `state.tables`, which changes with time.
"""
