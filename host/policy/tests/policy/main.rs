//! What the policy host promises, seen from outside, against plugins that keep no promise.

#![cfg(test)]

mod answers;
mod budgets;
mod code_cache;
mod directories;
mod fuzzing;
mod ldap_routing;
mod load;
mod logging;
mod metrics;
mod neighbours;
mod support;
