//! The policy interface itself: as a page of the book, and what of it a later version must keep.

mod page;
mod promise;
mod spelling;

pub use self::page::reference;
pub use self::promise::broken;
