use std::cell::RefCell;
use std::ops::Range;

use toml::de::DeTable;

use super::node::bare;
use super::setting::literal;
use super::value::SubTable;
use super::{Declared, Node, Presence, Reading, Section, Setting, Value};
use crate::problem::Severity;
use crate::source::Source;
use crate::suggest::nearest;
use crate::surroundings::Nowhere;

/// A table of the configuration, with the declaration of what it may hold.
pub(crate) struct Table<'a> {
    reading: &'a Reading<'a>,
    /// `None` for one that is not there: all its settings are as if nobody said.
    map: Option<&'a DeTable<'a>>,
    span: Range<usize>,
    key: String,
    section: &'static Section,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Table<'a> {
    pub(crate) fn new(
        node: &Node<'a>,
        map: Option<&'a DeTable<'a>>,
        section: &'static Section,
    ) -> Self {
        Self {
            reading: node.reading,
            map,
            span: node.span.clone(),
            key: node.key.clone(),
            section,
            asked: RefCell::default(),
        }
    }

    /// The whole file.
    pub(crate) fn root(
        reading: &'a Reading<'a>,
        map: &'a DeTable<'a>,
        section: &'static Section,
    ) -> Self {
        let asked = RefCell::default();
        Self { reading, map: Some(map), span: 0..0, key: String::new(), section, asked }
    }

    /// The value of a setting that has a default. After an error it is the default, so that the
    /// rest can be read and complained about too.
    pub(crate) fn get<T: Value>(&self, setting: &'static Setting<T>) -> T {
        let given = self.node(setting).and_then(|node| node.read());
        given.unwrap_or_else(|| default(setting))
    }

    /// The value of a setting that may be missing, or that must not, which is noted then.
    pub(crate) fn find<T: Value>(&self, setting: &'static Setting<T>) -> Option<T> {
        match self.node(setting) {
            Some(node) => node.read(),
            None => {
                if let Presence::Required { example } = setting.presence {
                    let message = format!("{} is missing", setting.key);
                    let help = Some(format!("for example {} = {example}", setting.key));
                    let key = self.key_of(setting.key);
                    self.reading.note(Severity::Error, self.span.clone(), &key, message, help);
                }
                None
            }
        }
    }

    /// What stands at a setting's key, as it is.
    pub(crate) fn node<T>(&self, setting: &'static Setting<T>) -> Option<Node<'a>> {
        self.asked.borrow_mut().push(setting.key);
        let value = self.map?.get(setting.key)?;
        Some(Node::new(self.reading, value, self.key_of(setting.key)))
    }

    /// A table within this one, that is as if empty where it is not there.
    pub(crate) fn table<T>(
        &self,
        setting: &'static Setting<SubTable>,
        section: &'static Section,
        read: impl FnOnce(&Self) -> T,
    ) -> Option<T> {
        if let Some(node) = self.node(setting) {
            return node.table(section, read);
        }
        let absent = Self {
            reading: self.reading,
            map: None,
            span: self.span.clone(),
            key: self.key_of(setting.key),
            section,
            asked: RefCell::default(),
        };
        Some(read(&absent))
    }

    /// Whether the setting is given, rightly or wrongly.
    pub(crate) fn has<T>(&self, setting: &'static Setting<T>) -> bool {
        self.map.is_some_and(|map| map.contains_key(setting.key))
    }

    /// Notes something about a setting: at its value, or at the table where it is not given.
    pub(crate) fn note<T>(
        &self,
        severity: Severity,
        setting: &'static Setting<T>,
        message: impl Into<String>,
    ) {
        let span = self.span_of(setting);
        self.reading.note(severity, span, &self.key_of(setting.key), message.into(), None);
    }

    pub(crate) fn error<T>(&self, setting: &'static Setting<T>, message: impl Into<String>) {
        self.note(Severity::Error, setting, message);
    }

    /// Notes a setting that has no place in this table after all, where it is given.
    pub(crate) fn refuse(&self, setting: &'static dyn Declared, message: impl Into<String>) {
        let Some(value) = self.map.and_then(|map| map.get(setting.key())) else { return };
        let key = self.key_of(setting.key());
        self.reading.note(Severity::Error, value.span(), &key, message.into(), None);
    }

    pub(crate) fn warning<T>(&self, setting: &'static Setting<T>, message: impl Into<String>) {
        self.note(Severity::Warning, setting, message);
    }

    /// Where a setting's value stands, or the table where it is not given.
    pub(crate) fn span_of<T>(&self, setting: &'static Setting<T>) -> Range<usize> {
        let value = self.map.and_then(|map| map.get(setting.key));
        value.map_or_else(|| self.span.clone(), |value| value.span())
    }

    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn reading(&self) -> &'a Reading<'a> {
        self.reading
    }

    /// Notes every key that the section does not declare.
    pub(crate) fn finish(self) {
        self.notice_unread();
        let Some(map) = self.map else { return };
        let known = || self.section.settings.iter().map(|setting| setting.key());
        for key in map.keys() {
            let name = key.get_ref().as_ref();
            if known().any(|known| known == name) {
                continue;
            }
            let help = match nearest(name, known()) {
                Some(known) => format!("did you mean {known}?"),
                None => format!("expected one of {}", known().collect::<Vec<_>>().join(", ")),
            };
            let message = "there is no such setting".to_owned();
            let key_name = self.key_of(name);
            self.reading.note(Severity::Error, key.span(), &key_name, message, Some(help));
        }
    }

    /// A setting that is declared and documented but read by nobody would be a lie.
    fn notice_unread(&self) {
        let asked = self.asked.borrow();
        let declared = self.section.settings.iter().map(|setting| setting.key());
        debug_assert!(
            asked.iter().all(|key| declared.clone().any(|declared| declared == *key)),
            "[{}] reads what it does not declare: {asked:?}",
            self.section.header,
        );
        for key in declared {
            debug_assert!(asked.contains(&key), "[{}] never reads {key}", self.section.header);
        }
    }

    pub(crate) fn key_of(&self, key: &str) -> String {
        if self.key.is_empty() { bare(key) } else { format!("{}.{}", self.key, bare(key)) }
    }
}

/// What a setting is if nobody says.
fn default<T: Value>(setting: &'static Setting<T>) -> T {
    let source = Source::new("", String::new());
    let reading = Reading::new(&source, &Nowhere);
    let literal = literal(setting.presence.example());
    let value = Node::new(&reading, &literal, setting.key.to_owned()).read();
    value.expect("a test reads every declared default as a value of its type")
}
