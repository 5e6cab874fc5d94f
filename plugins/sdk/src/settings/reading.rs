use std::cell::{Cell, RefCell};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::fault::Fault;
use super::node::{Node, Place};
use super::stand_in::STAND_INS;
use crate::Problem;

/// As many problems as a host shows.
const MOST_PROBLEMS: usize = 64;

/// The passes over one table.
///
/// serde gives up at the first fault. So the fault is noted, and the next pass finds something in
/// its place: a field of a struct or a tuple is played by a stand-in, an item of a list or a member
/// of a table is left out. Passes go on until nothing new turns up.
#[derive(Debug, Default)]
pub(super) struct Reading {
    problems: RefCell<Vec<Problem>>,
    /// The pointers of faults, each with the stand-in that plays there now.
    replaced: RefCell<Vec<(String, usize)>>,
    has_replaced: Cell<bool>,
}

impl Reading {
    /// Reads `table`, or says everything that is wrong with it.
    pub(super) fn of<T: DeserializeOwned>(table: &Value) -> Result<T, Vec<Problem>> {
        let reading = Self::default();
        loop {
            match T::deserialize(Node::new(table, Place::Root, &reading)) {
                Ok(read) if reading.problems.borrow().is_empty() => return Ok(read),
                Err(fault) if reading.goes_on(&fault) => {}
                _ => return Err(reading.problems.into_inner()),
            }
        }
    }

    /// Notes a key that no field asks for; once, however many passes see it.
    pub(super) fn note_unknown(&self, pointer: String) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < MOST_PROBLEMS && !problems.iter().any(|known| known.path == pointer) {
            let message = "there is no such setting".into();
            problems.push(Problem { path: pointer, message });
        }
    }

    /// Which stand-in plays the value here, if one does.
    pub(super) fn stand_in(&self, place: &Place<'_>) -> Option<usize> {
        if !self.has_replaced.get() {
            return None;
        }
        let pointer = place.pointer();
        let replaced = self.replaced.borrow();
        replaced.iter().find(|(known, _)| *known == pointer).map(|(_, stand_in)| *stand_in)
    }

    /// Notes what ended a pass. `false` when another would bring nothing new.
    fn goes_on(&self, fault: &Fault) -> bool {
        let pointer = fault.pointer();
        let mut replaced = self.replaced.borrow_mut();
        if let Some(known) = replaced.iter().position(|(known, _)| covers(known, &pointer)) {
            return try_next(&mut replaced, known);
        }
        // What is wrong with the whole may come of what was replaced within: no problem of its own.
        if !replaced.iter().any(|(known, _)| covers(&pointer, known)) {
            let mut problems = self.problems.borrow_mut();
            if problems.len() >= MOST_PROBLEMS {
                return false;
            }
            problems.push(Problem { path: pointer.clone(), message: fault.to_string() });
        }
        if pointer.is_empty() {
            return false;
        }
        replaced.push((pointer, 0));
        self.has_replaced.set(true);
        true
    }
}

/// Puts the next stand-in in the place of one that did not please; after the last, replaces what is
/// around it. `false` where that is the whole.
fn try_next(replaced: &mut Vec<(String, usize)>, known: usize) -> bool {
    let Some((pointer, stand_in)) = replaced.get_mut(known) else { return false };
    *stand_in += 1;
    if *stand_in < STAND_INS.len() {
        return true;
    }
    let around = pointer.rsplit_once('/').map_or("", |(around, _)| around).to_owned();
    if around.is_empty() {
        return false;
    }
    match replaced.iter().position(|(known, _)| *known == around) {
        Some(known) => try_next(replaced, known),
        None => {
            replaced.push((around, 0));
            true
        }
    }
}

/// Whether `inner` is `outer` or something in it.
fn covers(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
