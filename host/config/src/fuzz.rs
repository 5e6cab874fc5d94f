//! Plain functions for fuzz targets; ordinary tests replay seeds through them.

use std::path::Path;

use crate::surroundings::Nowhere;
use crate::{Config, Severity};

/// Reads `data` as a configuration: it never panics, and whatever it refuses, it says where.
pub fn config(data: &[u8]) {
    match Config::parse(Path::new("waypost.toml"), data.to_vec(), &Nowhere) {
        Ok(config) => {
            assert!(!config.listeners.is_empty() && !config.domains.is_empty());
            assert_eq!(config.warnings.count(Severity::Error), 0);
            let _ = config.place("/policy/ldap/settings/host-field");
        }
        Err(problems) => {
            assert!(problems.count(Severity::Error) > 0, "refused without a reason");
            assert!(problems.0.iter().all(|problem| problem.place.line > 0));
            let _ = problems.to_string();
        }
    }
}
