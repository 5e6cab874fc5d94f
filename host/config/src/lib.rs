//! The configuration: TOML with places, turned into the plain structs that each crate owns.
