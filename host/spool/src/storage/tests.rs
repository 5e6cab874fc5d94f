//! What a storage promises, of a real folder and of the simulated disk alike.

use std::io::ErrorKind;

use super::{Access, Folder, Storage};
use crate::simulated::Simulated;

#[test]
fn a_folder_does() {
    let parent = tempfile::tempdir().unwrap();
    files_do_what_files_do(&Folder::open(&parent.path().join("spool")).unwrap());
}

#[test]
fn a_simulated_disk_does() {
    files_do_what_files_do(&*Simulated::new().storage());
}

fn files_do_what_files_do(storage: &dyn Storage) {
    let file = storage.create("one").unwrap();
    assert_eq!(storage.create("one").err().unwrap().kind(), ErrorKind::AlreadyExists);
    assert_eq!(storage.open("two", Access::Read).err().unwrap().kind(), ErrorKind::NotFound);
    assert_eq!(storage.remove("two").unwrap_err().kind(), ErrorKind::NotFound);
    file.write_at(3, b"abc").unwrap();
    file.allocate(5).unwrap();
    assert_eq!(file.length().unwrap(), 6, "never shortened");
    file.allocate(8).unwrap();
    let mut buf = [9; 20];
    assert_eq!(file.read_at(0, &mut buf).unwrap(), 8);
    assert_eq!(buf[..8], *b"\0\0\0abc\0\0");
    assert_eq!(file.read_at(100, &mut buf).unwrap(), 0);
    let read_only = storage.open("one", Access::Read).unwrap();
    assert!(read_only.write_at(0, b"x").is_err());
    storage.create("two").unwrap().write_at(0, b"other").unwrap();
    storage.rename("one", "two").unwrap();
    assert_eq!(storage.list().unwrap(), ["two"]);
    storage.remove("two").unwrap();
    assert_eq!(file.length().unwrap(), 8, "what is open outlives its name");
}
