//! What the policy host promises, seen from outside, against plugins that keep no promise.

#![cfg(test)]

mod answers;
mod budgets;
mod directories;
mod load;
mod logging;
mod neighbours;
mod support;
