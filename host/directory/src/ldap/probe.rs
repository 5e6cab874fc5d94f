//! `waypost check` of an LDAP directory: each server, on a connection of its own.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::connector::Connector;
use super::operation::{self, Ended, Request};
use super::settings::Bind;
use crate::{BoundQuery, Finding, Limits, Query, Scope};

/// Connects to every server, logs in and reads the base.
pub(super) async fn probe(connector: Arc<Connector>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for server in 0..connector.settings.urls.len() {
        let result = probe_server(&connector, server).await;
        findings.push(Finding { subject: connector.url(server), result });
    }
    findings
}

async fn probe_server(connector: &Arc<Connector>, server: usize) -> Result<String, String> {
    let link = connector.connect(server).await.map_err(|error| error.to_string())?;
    let protection = link.protection.clone();
    let settings = &connector.settings;
    let request = Arc::new(base_request(connector)?);
    let deadline = Instant::now() + settings.search_timeout;
    let mut under_way = link.enter();
    under_way.turn().await.map_err(|reason| reason.to_string())?;
    let (reply, answer) = oneshot::channel();
    operation::run(connector.clone(), under_way, request, deadline, reply).await;
    let page = match answer.await {
        Ok(Ended::Answered(result)) => result.map_err(|error| error.to_string())?,
        Ok(Ended::Lost(reason)) => return Err(reason.to_string()),
        Err(error) => return Err(error.to_string()),
    };
    let (base, login) = (&settings.base, login_name(&settings.bind));
    if page.entries.is_empty() {
        return Err(format!(
            "connected {protection}, {login}, but {base:?} is not there or may not be seen: \
             check the base, and the server's access rules"
        ));
    }
    Ok(format!("connected {protection}, {login}, {base:?} is there"))
}

/// The search for the base itself, without any attribute.
fn base_request(connector: &Connector) -> Result<Request, String> {
    let query = Query {
        base: &connector.base.to_string(),
        scope: Scope::Base,
        filter: "(objectClass=*)",
        parameters: &[],
        attributes: &[],
        size_limit: 1,
    };
    let bound = BoundQuery::bind(&query, &connector.base).map_err(|error| error.to_string())?;
    Ok(Request::new(&bound, Limits::default()))
}

fn login_name(bind: &Bind) -> String {
    match bind {
        Bind::Anonymous => "anonymous".to_owned(),
        Bind::Simple { dn, .. } => format!("logged in as {dn:?}"),
        Bind::External => "logged in by EXTERNAL".to_owned(),
    }
}
