use std::sync::Arc;
use waypost_routing::Decide;
use waypost_session::Grant;
use super::message::MessageError;
use super::{Message, Queue};
use crate::Service;
use crate::record::{Record, UnixTime};
impl Queue {
    pub(super) async fn report<P: Decide>(&self, _service: &Arc<Service<P>>, message: &Message, _at: UnixTime) -> Result<Record, MessageError>
    where P::Targets: Grant {
        message.read().await
    }
}
