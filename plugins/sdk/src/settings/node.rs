use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use super::fault::{Fault, choice};
use super::reading::Reading;
use super::stand_in::StandIn;
use super::{kind, pointer};

/// Where in the settings a value stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    /// The whole.
    Root,
    /// A member of a table.
    Member(&'a Self, &'a str),
    /// An item of a list.
    Item(&'a Self, usize),
}

impl Place<'_> {
    /// As a JSON pointer (RFC 6901).
    pub(super) fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Member(parent, key) => pointer(&parent.pointer(), key),
            Self::Item(parent, index) => pointer(&parent.pointer(), &index.to_string()),
        }
    }
}

/// A value of the settings, to be read as whatever is wanted.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    value: &'a Value,
    place: Place<'a>,
    reading: &'a Reading,
}

impl<'a> Node<'a> {
    pub(super) fn new(value: &'a Value, place: Place<'a>, reading: &'a Reading) -> Self {
        Self { value, place, reading }
    }

    /// The fault that something else stands here.
    fn expected(&self, what: &dyn std::fmt::Display) -> Fault {
        Fault::expected(what, kind(self.value))
    }
}

/// Reads a whole number, and says its range where it is none or out of it.
macro_rules! whole_number {
    ($($method:ident: $type:ty, $visit:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let number = self.value.as_i64().map(i128::from);
            let number = number.or_else(|| self.value.as_u64().map(i128::from));
            match number.and_then(|number| <$type>::try_from(number).ok()) {
                Some(number) => visitor.$visit(number),
                None => {
                    let what =
                        format!("a whole number from {} to {}", <$type>::MIN, <$type>::MAX);
                    match self.value {
                        Value::Number(number) => Err(Fault::expected(&what, &number.to_string())),
                        _ => Err(self.expected(&what)),
                    }
                }
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => {
                if let Some(number) = number.as_u64() {
                    visitor.visit_u64(number)
                } else if let Some(number) = number.as_i64() {
                    visitor.visit_i64(number)
                } else {
                    visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN))
                }
            }
            Value::String(text) => visitor.visit_str(text),
            Value::Array(items) => visitor.visit_seq(Items::of(self, items)),
            Value::Object(_) => visitor.visit_map(Members::all(self)),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Bool(value) => visitor.visit_bool(*value),
            _ => Err(self.expected(&"true or false")),
        }
    }

    whole_number! {
        deserialize_i8: i8, visit_i8;
        deserialize_i16: i16, visit_i16;
        deserialize_i32: i32, visit_i32;
        deserialize_i64: i64, visit_i64;
        deserialize_u8: u8, visit_u8;
        deserialize_u16: u16, visit_u16;
        deserialize_u32: u32, visit_u32;
        deserialize_u64: u64, visit_u64;
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value.as_f64() {
            Some(number) => visitor.visit_f64(number),
            None => Err(self.expected(&"a number")),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Array(items) => visitor.visit_seq(Items::of(self, items)),
            _ => Err(self.expected(&"a list")),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.value {
            Value::Array(items) => {
                visitor.visit_seq(Items { is_tuple: true, ..Items::of(self, items) })
            }
            _ => Err(self.expected(&"a list")),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Object(_) => visitor.visit_map(Members::all(self)),
            _ => Err(self.expected(&"a table")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.value {
            Value::Object(_) => visitor.visit_map(Members::of(self, fields)),
            _ => Err(self.expected(&"a table")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.value {
            Value::String(variant) => visitor.visit_enum(variant.as_str().into_deserializer()),
            Value::Object(table) if table.len() == 1 => visitor.visit_enum(Variant(self)),
            _ => Err(self.expected(&choice(variants))),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct identifier ignored_any
    }
}

/// The items of a list.
struct Items<'a> {
    node: Node<'a>,
    items: &'a [Value],
    next: usize,
    /// Whether each item has its place: one that is a fault is played by a stand-in.
    is_tuple: bool,
}

impl<'a> Items<'a> {
    fn of(node: Node<'a>, items: &'a [Value]) -> Self {
        Self { node, items, next: 0, is_tuple: false }
    }
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        while let Some(item) = self.items.get(self.next) {
            let place = Place::Item(&self.node.place, self.next);
            self.next += 1;
            let read = match self.node.reading.stand_in(&place) {
                Some(stand_in) if self.is_tuple => seed.deserialize(StandIn(stand_in)),
                Some(_) => continue,
                None => seed.deserialize(Node::new(item, place, self.node.reading)),
            };
            return read.map(Some).map_err(|fault| fault.at(&place));
        }
        Ok(None)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len().saturating_sub(self.next))
    }
}

/// The members of a table: all of them, or those that are the fields of a struct.
struct Members<'a> {
    node: Node<'a>,
    entries: serde_json::map::Iter<'a>,
    /// What to read next.
    current: Option<(&'a str, &'a Value)>,
    /// The fields of the struct, and from which on those that are played by a stand-in have not
    /// been given yet.
    fields: Option<(&'static [&'static str], usize)>,
    /// The field that a stand-in plays and that is read next.
    played: Option<(&'static str, usize)>,
}

impl<'a> Members<'a> {
    fn all(node: Node<'a>) -> Self {
        static NONE: std::sync::LazyLock<serde_json::Map<String, Value>> =
            std::sync::LazyLock::new(serde_json::Map::new);
        let entries = node.value.as_object().unwrap_or(&NONE).iter();
        Self { node, entries, current: None, fields: None, played: None }
    }

    fn of(node: Node<'a>, fields: &'static [&'static str]) -> Self {
        Self { fields: Some((fields, 0)), ..Self::all(node) }
    }

    /// Moves on to the next member that is as it should be.
    fn advance(&mut self) -> Option<&'a str> {
        for (key, value) in self.entries.by_ref() {
            let place = Place::Member(&self.node.place, key);
            match self.fields {
                Some((fields, _)) if !fields.contains(&key.as_str()) => {
                    self.node.reading.note_unknown(place.pointer());
                }
                _ if self.node.reading.stand_in(&place).is_some() => {}
                _ => {
                    self.current = Some((key, value));
                    return Some(key);
                }
            }
        }
        None
    }

    /// Moves on to the next field that a stand-in plays.
    fn advance_played(&mut self) -> Option<&'static str> {
        let (fields, next) = self.fields.as_mut()?;
        while let Some(field) = fields.get(*next) {
            *next += 1;
            let place = Place::Member(&self.node.place, field);
            if let Some(stand_in) = self.node.reading.stand_in(&place) {
                self.played = Some((field, stand_in));
                return Some(field);
            }
        }
        None
    }
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some(key) = self.advance().or_else(|| self.advance_played()) else { return Ok(None) };
        let read = seed.deserialize(key.into_deserializer()).map(Some);
        read.map_err(|fault: Fault| fault.at_key(&self.node.place, key))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        if let Some((field, stand_in)) = self.played.take() {
            let place = Place::Member(&self.node.place, field);
            return seed.deserialize(StandIn(stand_in)).map_err(|fault| fault.at(&place));
        }
        let Some((key, value)) = self.current.take() else {
            return Err(Fault::custom("a value was asked for before its key"));
        };
        let place = Place::Member(&self.node.place, key);
        let node = Node::new(value, place, self.node.reading);
        seed.deserialize(node).map_err(|fault| fault.at(&place))
    }
}

/// A variant with content: a table with one member.
struct Variant<'a>(Node<'a>);

impl<'a> Variant<'a> {
    fn member(&self) -> Option<(&'a str, &'a Value)> {
        let (key, value) = self.0.value.as_object()?.iter().next()?;
        Some((key, value))
    }
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let key = self.member().map(|(key, _)| key).unwrap_or_default();
        let variant = seed.deserialize(key.into_deserializer())?;
        Ok((variant, self))
    }
}

impl Variant<'_> {
    fn content<R>(&self, read: impl FnOnce(Node<'_>) -> Result<R, Fault>) -> Result<R, Fault> {
        let Some((key, value)) = self.member() else {
            return Err(Fault::custom("a table with one member was expected"));
        };
        let place = Place::Member(&self.0.place, key);
        read(Node::new(value, place, self.0.reading)).map_err(|fault| fault.at(&place))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        self.content(|node| match node.value {
            Value::Null => Ok(()),
            _ => Err(node.expected(&"nothing")),
        })
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        self.content(|node| seed.deserialize(node))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        self.content(|node| node.deserialize_tuple(length, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.content(|node| node.deserialize_struct("", fields, visitor))
    }
}
