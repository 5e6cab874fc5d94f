//! The `context` resource: each getter notes that it was read.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use wasmtime::component::Resource;
use waypost_model::ContextField;

use super::{Asked, Guest};
use crate::bindings::Context;
use crate::bindings::waypost::policy::types::{HostContext, IpAddress};

impl Guest {
    fn read(&mut self, field: ContextField) -> wasmtime::Result<&Asked> {
        let asked = self.asked("context")?;
        asked.reads.insert(field);
        Ok(asked)
    }
}

fn text(value: Option<&Arc<str>>) -> Option<String> {
    value.map(|text| text.to_string())
}

impl HostContext for Guest {
    fn protocol(&mut self, _: Resource<Context>) -> wasmtime::Result<String> {
        Ok(self.read(ContextField::Protocol)?.context.protocol.to_string())
    }

    fn listener(&mut self, _: Resource<Context>) -> wasmtime::Result<String> {
        Ok(self.read(ContextField::Listener)?.context.listener.to_string())
    }

    fn client_address(&mut self, _: Resource<Context>) -> wasmtime::Result<IpAddress> {
        let address = self.read(ContextField::ClientAddress)?.context.client_address;
        Ok(match address.to_canonical() {
            IpAddr::V4(v4) => IpAddress::Ipv4(v4.octets().into()),
            IpAddr::V6(v6) => IpAddress::Ipv6(v6.segments().into()),
        })
    }

    fn encrypted(&mut self, _: Resource<Context>) -> wasmtime::Result<bool> {
        Ok(self.read(ContextField::Encrypted)?.context.encrypted)
    }

    fn mechanism(&mut self, _: Resource<Context>) -> wasmtime::Result<Option<String>> {
        Ok(text(self.read(ContextField::Mechanism)?.context.mechanism.as_ref()))
    }

    fn login_name(&mut self, _: Resource<Context>) -> wasmtime::Result<Option<String>> {
        Ok(text(self.read(ContextField::LoginName)?.context.login_name.as_ref()))
    }

    fn authentication_id(&mut self, _: Resource<Context>) -> wasmtime::Result<Option<String>> {
        Ok(text(self.read(ContextField::AuthenticationId)?.context.authentication_id.as_ref()))
    }

    fn certificate_name(&mut self, _: Resource<Context>) -> wasmtime::Result<Option<String>> {
        Ok(text(self.read(ContextField::CertificateName)?.context.certificate_name.as_ref()))
    }

    fn sender(&mut self, _: Resource<Context>) -> wasmtime::Result<Option<String>> {
        Ok(text(self.read(ContextField::Sender)?.context.sender.as_ref()))
    }

    fn now(&mut self, _: Resource<Context>) -> wasmtime::Result<u64> {
        let now = self.read(ContextField::Now)?.context.now;
        Ok(now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }

    fn drop(&mut self, _: Resource<Context>) -> wasmtime::Result<()> {
        // The guest only ever borrows it.
        Ok(())
    }
}
