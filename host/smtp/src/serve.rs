use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use waypost_net::listener::{Accepted, Refused, RefusedConnection};
use waypost_net::stream::Stream;
use waypost_routing::Decide;
use waypost_session::Grant;
use waypost_wire::login::Bye;

use crate::client::Client;
use crate::session::Session;
use crate::{Entrance, Service};

/// For how long the last words to a client may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Serves one connection from its first octet to its last. To be spawned.
pub async fn serve<P: Decide>(service: Arc<Service<P>>, entrance: Arc<Entrance>, accepted: Accepted)
where
    P::Targets: Grant,
{
    let connection = match accepted.admit().await {
        Ok(connection) => connection,
        Err(refused) => return turn_away(&entrance, refused).await,
    };
    let record = service.process.sessions.open(&entrance.kind, connection.client);
    let session = Session {
        id: service.process.session_ids.of(&record).to_string(),
        record,
        client: connection.client,
        local: connection.local,
        began: Instant::now(),
        service,
        entrance,
    };
    let (stream, slots) = connection.split();
    session.run(Stream::from(stream)).await;
    drop(slots);
}

/// Says why in the protocol's own words, where the client has not begun to speak TLS.
async fn turn_away(entrance: &Entrance, refused: RefusedConnection) {
    let (Refused::Limit(_), Some(stream)) = (refused.reason, refused.stream) else { return };
    if entrance.is_implicit_tls() {
        return;
    }
    let mut client = Client::new(Stream::from(stream), entrance.new_front());
    client.bye(Bye::Limit("Too many connections."));
    last_words(&mut client).await;
}

pub(crate) async fn last_words(client: &mut Client) {
    let _ = timeout(LAST_WORDS, client.close()).await;
}
