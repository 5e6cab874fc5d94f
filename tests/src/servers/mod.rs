//! The real servers around Waypost, started and stopped by the tests.

mod apache;
mod browser;
mod certificates;
mod client_authority;
mod dovecot;
mod fault;
mod maildir;
mod null;
mod ports;
mod postfix;
mod process;
mod radicale;
mod recorder;
mod roundcube;
mod scripted_web;
mod slapd;
mod waypost;
mod web_recorder;

pub(crate) use apache::Apache;
pub(crate) use browser::Browser;
pub(crate) use certificates::Authority;
pub(crate) use client_authority::{ClientAuthority, ClientCertificate};
pub(crate) use dovecot::{Dovecot, Ports as DovecotPorts, TOKEN_KEY};
pub(crate) use fault::{Fault, FaultyWay};
pub(crate) use maildir::Message;
pub(crate) use null::NullBackEnd;
pub(crate) use ports::{free_port, free_port_on};
pub(crate) use postfix::{Ports as PostfixPorts, Postfix, Stage};
pub(crate) use process::{Background, run, run_within, wait_for};
pub(crate) use radicale::Radicale;
pub(crate) use recorder::Recorder;
pub(crate) use roundcube::Roundcube;
pub(crate) use scripted_web::{Asked, ScriptedWeb, Then};
pub(crate) use slapd::Slapd;
pub(crate) use waypost::{Waypost, folder, program};
pub(crate) use web_recorder::{SLOW, WebRecorder};
