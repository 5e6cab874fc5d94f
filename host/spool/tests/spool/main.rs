//! The spool from outside: on real folders, on a small file system, and on a simulated disk that
//! loses what was not synced.

mod cancelling;
mod crashes;
mod damage;
mod folder;
mod full;
mod killed;
mod life;
mod reading;
mod storage;
mod support;
