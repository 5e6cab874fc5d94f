//! What the policy host promises, seen from outside, against plugins that keep no promise.

mod answers;
mod budgets;
mod directories;
mod load;
mod neighbours;
mod support;
