//! The ordinary login allocates the credential and nothing else.
#![expect(unsafe_code, reason = "an allocator that counts is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use waypost_model::{Encryption, Protocol};
use waypost_wire::Front;
use waypost_wire::login::{FrontAction, FrontSettings};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is the system allocator's; the count is a thread's own and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn an_ordinary_imap_login_allocates_two_strings() {
    let settings = FrontSettings { encryption: Encryption::Implicit, ..Default::default() };
    let mut front = Front::new(Protocol::Imap, settings.into()).unwrap();
    let mut out = Vec::with_capacity(1024);
    let said = b"A0001 LOGIN ann@example.test \"secret\"\r\nA0002 SELECT INBOX\r\n";

    let before = ALLOCATIONS.get();
    front.greet(&mut out);
    let cut = front.advance(&said[..30], &mut out);
    let whole = front.advance(said, &mut out);
    let allocated = ALLOCATIONS.get() - before;

    assert_eq!(cut.action, FrontAction::Read);
    assert!(matches!(whole.action, FrontAction::Login(_)));
    assert_eq!(allocated, 2);
}
