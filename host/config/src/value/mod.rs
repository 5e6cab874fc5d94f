//! The types that settings have beside those of TOML.

mod file;
mod network;
mod plugin;
mod quantity;
mod secret;
mod web;
mod words;

pub(crate) use self::file::{AnyPath, CertificatePair, ExistingFile, unreadable};
pub(crate) use self::network::{FromName, NetworkList, is_name};
pub(crate) use self::plugin::{Plugin, Sha256};
pub(crate) use self::quantity::{Octets, Period};
pub(crate) use self::secret::SecretValue;
pub(crate) use self::web::{LoginForm, PageFile, SealKeyFile};
