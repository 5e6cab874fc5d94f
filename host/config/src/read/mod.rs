//! From TOML to values with places: [`Node`] is a value, [`Table`] a table whose settings are
//! declared as a [`Section`], and [`Reading`] gathers what is wrong with them.

mod node;
mod reading;
mod setting;
mod table;
mod value;

pub(crate) use self::node::{NamedNode, Node, bare};
pub(crate) use self::reading::Reading;
pub(crate) use self::setting::{Declared, Presence, Section, Setting};
pub(crate) use self::table::Table;
pub(crate) use self::value::{
    Choice, Placed, SubTable, Value, choice, choice_words, one_of, read_choice,
};
