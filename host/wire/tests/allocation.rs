//! The ordinary login allocates the credential and nothing else, the ordinary message its addresses.
#![expect(unsafe_code, reason = "an allocator that counts is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use waypost_model::{Encryption, Protocol};
use waypost_wire::Front;
use waypost_wire::login::{FrontAction, FrontSettings};
use waypost_wire::smtp;

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

#[test]
fn an_ordinary_message_allocates_the_halves_of_its_addresses() {
    let settings =
        smtp::FrontSettings { encryption: Encryption::Implicit, ..smtp::FrontSettings::default() };
    let mut front = smtp::Front::new(settings.into());
    let mut out = Vec::with_capacity(1024);
    let hello = front.advance(b"EHLO client.test\r\n", &mut out);
    assert_eq!(hello.action, smtp::FrontAction::Read);
    let ok = smtp::Reply::new(250, smtp::EnhancedCode::new(2, 0, 0), "Ok.");
    let said =
        b"MAIL FROM:<a@a.test> SIZE=9\r\nRCPT TO:<b@b.test>\r\nDATA\r\na\r\n..b\r\n.\r\nNOOP\r\n";

    let before = ALLOCATIONS.get();
    let mut unread = &said[..];
    let mut content = 0;
    loop {
        let advance = front.advance(unread, &mut out);
        unread = &unread[advance.consumed..];
        match advance.action {
            smtp::FrontAction::Read => break,
            smtp::FrontAction::Data => front.go_ahead(&mut out),
            smtp::FrontAction::Content(octets) => content += octets.len(),
            _ => front.reply(&ok, &mut out),
        }
    }
    let allocated = ALLOCATIONS.get() - before;

    assert_eq!((unread.len(), content), (0, 7));
    assert_eq!(allocated, 4);
}
