//! Records in their files: two slots, of which one holds the current record.

use crate::Id;
use crate::error::{DamageKind, Error, damaged};
use crate::files::{File, Files};
use crate::name::Name;
use crate::slot::{self, BLOCK, Content, HEADER, Header, MAX_RECORD, SlotProblem, State};
use crate::storage::Access;

/// Where a message's current record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The size of a slot in octets.
    pub(crate) slot_bytes: u64,
    /// Grows with each update.
    pub(crate) sequence: u64,
    half: Half,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    First,
    Second,
}

impl Place {
    fn offset(&self) -> u64 {
        match self.half {
            Half::First => 0,
            Half::Second => self.slot_bytes,
        }
    }

    /// The slot that an update may overwrite.
    fn other(&self, sequence: u64) -> Self {
        let half = match self.half {
            Half::First => Half::Second,
            Half::Second => Half::First,
        };
        Self { half, sequence, ..*self }
    }
}

/// A record that was read.
pub(crate) struct Loaded {
    pub(crate) state: State,
    pub(crate) record: Vec<u8>,
    pub(crate) copy_length: u64,
    pub(crate) place: Place,
}

/// What a file of two such slots takes of the disk, in octets.
pub(crate) fn file_bytes(slot_bytes: u64) -> u64 {
    slot_bytes.saturating_mul(2)
}

/// Refuses a record that no slot may hold.
pub(crate) fn check_length(record: &[u8]) -> Result<(), Error> {
    if record.len() > MAX_RECORD { Err(Error::RecordTooLong) } else { Ok(()) }
}

/// A record's file that is not the message's yet: space that is secured, under the name of a draft.
pub(crate) struct DraftRecord {
    file: File,
    slot_bytes: u64,
}

impl DraftRecord {
    /// Creates the file with its space.
    pub(crate) fn create(files: &Files, id: Id, slot_bytes: u64) -> Result<Self, Error> {
        let name = Name::draft(id);
        let file = match files.create(name) {
            // Left by an attempt that failed.
            Err(error) if error.is_already_there() => {
                files.remove(name)?;
                files.create(name)?
            }
            result => result?,
        };
        file.allocate(file_bytes(slot_bytes))?;
        Ok(Self { file, slot_bytes })
    }

    /// Writes the first record and makes its octets durable; the file's name is still a draft's.
    /// Where the record is longer than was provided for, more space is taken.
    pub(crate) fn write(&mut self, content: &Content<'_>) -> Result<Place, Error> {
        let slot_bytes = slot::slot_bytes(content.record.len());
        if slot_bytes > self.slot_bytes {
            self.file.allocate(file_bytes(slot_bytes))?;
            self.slot_bytes = slot_bytes;
        }
        let (slot_bytes, sequence) = (self.slot_bytes, content.sequence);
        let place = Place { slot_bytes, sequence, half: Half::First };
        write(&self.file, place, content)?;
        Ok(place)
    }

    /// Marks the message as removed, whichever name the file has by now, and makes that durable.
    pub(crate) fn revoke(&self, content: &Content<'_>) -> Result<(), Error> {
        let (slot_bytes, sequence) = (self.slot_bytes, content.sequence);
        write(&self.file, Place { slot_bytes, sequence, half: Half::Second }, content)
    }
}

/// Overwrites the older record of a kept message with its next one, which is durable then. If that
/// fails, either may be what a crash leaves.
pub(crate) fn update(
    files: &Files,
    id: Id,
    current: Place,
    content: &Content<'_>,
) -> Result<Place, Error> {
    let file = files.open(Name::record(id), Access::Write)?;
    let place = current.other(content.sequence);
    write(&file, place, content)?;
    Ok(place)
}

fn write(file: &File, place: Place, content: &Content<'_>) -> Result<(), Error> {
    file.write_at(place.offset(), &slot::encode(file.name().id, content))?;
    file.sync()
}

/// Reads the current record of a kept message.
pub(crate) fn load(files: &Files, id: Id) -> Result<Loaded, Error> {
    read(&files.open(Name::record(id), Access::Read)?)
}

/// Reads the current record of a message that another process may have been writing when it was
/// killed: what can be read is made durable first.
pub(crate) fn load_durable(files: &Files, id: Id) -> Result<Loaded, Error> {
    let file = files.open(Name::record(id), Access::Read)?;
    file.sync()?;
    read(&file)
}

fn read(file: &File) -> Result<Loaded, Error> {
    let length = file.length()?;
    let slot_bytes = length / 2;
    let longest = slot::slot_bytes(MAX_RECORD);
    if length != file_bytes(slot_bytes)
        || !(BLOCK..=longest).contains(&slot_bytes)
        || !slot_bytes.is_multiple_of(BLOCK)
    {
        return Err(damaged(file.name(), DamageKind::Length(length)));
    }
    let read = |half| {
        let place = Place { slot_bytes, sequence: 0, half };
        read_slot(file, place)
    };
    let (header, record, half) = match (read(Half::First)?, read(Half::Second)?) {
        (Ok(first), Ok(second)) if first.0.sequence > second.0.sequence => {
            (first.0, first.1, Half::First)
        }
        (_, Ok(second)) => (second.0, second.1, Half::Second),
        (Ok(first), _) => (first.0, first.1, Half::First),
        (Err(first), Err(second)) => {
            return Err(damaged(file.name(), DamageKind::Slots(first, second)));
        }
    };
    let place = Place { slot_bytes, sequence: header.sequence, half };
    Ok(Loaded { state: header.state, record, copy_length: header.copy_length, place })
}

type Slot = Result<(Header, Vec<u8>), SlotProblem>;

fn read_slot(file: &File, place: Place) -> Result<Slot, Error> {
    let mut octets = [0; HEADER];
    if file.read_at(place.offset(), &mut octets)? < HEADER {
        return Ok(Err(SlotProblem::Checksum));
    }
    let header = match slot::decode(file.name().id, &octets) {
        Ok(header) => header,
        Err(problem) => return Ok(Err(problem)),
    };
    if slot::slot_bytes(header.length) > place.slot_bytes {
        return Ok(Err(SlotProblem::TooLong));
    }
    let mut record = vec![0; header.length];
    let read = file.read_at(place.offset().saturating_add(HEADER as u64), &mut record)?;
    if read < record.len() {
        return Ok(Err(SlotProblem::Checksum));
    }
    Ok(header.verify(&octets, &record).map(|()| (header, record)))
}
