//! Directories: the LDAP connector, the LDIF directory, and the bound queries that both answer.
