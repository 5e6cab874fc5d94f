//! What clients, back ends and the disk see of inbound mail, through real sockets.

mod back_ends;
mod clients;
mod crash;
mod fronts;
mod large;
mod one_leg;
mod outcomes;
mod queue;
mod recipients;
mod support;
