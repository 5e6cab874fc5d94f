use std::marker::PhantomData;
use std::sync::OnceLock;

use crate::bindings::exports::waypost::policy::mapping;
use crate::bindings::waypost::policy::types::Context;
use crate::bindings::waypost::policy::{directory, log};
use crate::{
    Answer, Client, Directory, Failure, Host, IpAddress, Level, Lookup, Page, Policy, Problem,
    Problems, Query, SearchError, settings,
};

/// Makes a [`Policy`] the plugin of the crate in which this stands; once in a crate.
#[macro_export]
macro_rules! export {
    ($policy:ty) => {
        impl $crate::Exported for $policy {
            fn slot() -> &'static ::std::sync::OnceLock<Self> {
                static SLOT: ::std::sync::OnceLock<$policy> = ::std::sync::OnceLock::new();
                &SLOT
            }
        }

        // Only there: a native linker does not take the names of a component's exports.
        #[cfg(target_family = "wasm")]
        #[expect(unsafe_code, reason = "the exported functions of a component, as generated")]
        const _: () = {
            type Component = $crate::Plugin<$policy>;
    $crate::bindings::export!(Component with_types_in $crate::bindings);
        };
    };
}

/// A policy with the place in which its settings are kept. [`export!`] implements it.
pub trait Exported: Policy {
    /// The place.
    fn slot() -> &'static OnceLock<Self>;
}

/// The component's side of a policy.
#[derive(Debug)]
pub struct Plugin<P>(PhantomData<P>);

impl<P: Exported> mapping::Guest for Plugin<P> {
    fn configure(settings: String) -> Result<(), Vec<Problem>> {
        report_panics();
        let read = settings::read(&settings);
        // Their text may be long, and its memory is of use to what is made of them.
        drop(settings);
        let policy = P::configure(read?).map_err(Problems::into_list)?;
        // A host configures once; the second of two would have to be ignored or believed, and
        // neither is what it meant.
        let message = "this instance has been configured already";
        P::slot()
            .set(policy)
            .map_err(|_| vec![Problem { path: String::new(), message: message.into() }])
    }

    fn route(lookup: Lookup, context: &Context) -> Result<Answer, Failure> {
        let policy =
            P::slot().get().ok_or_else(|| Failure::Other("configure was not called".into()))?;
        policy.route(&lookup, &Surroundings(context))
    }
}

/// Says in the operator's log where a plugin panicked; the trap that follows tells only that it did.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| log::write(Level::Error, &panic.to_string())));
}

struct Surroundings<'a>(&'a Context);

impl Host for Surroundings<'_> {
    fn client(&self) -> &dyn Client {
        self.0
    }

    fn open(&self, name: &str) -> Result<Box<dyn Directory>, SearchError> {
        directory::open(name).map(|connector| Box::new(connector) as Box<dyn Directory>)
    }

    fn log(&self, level: Level, message: &str) {
        log::write(level, message);
    }
}

impl Directory for directory::Connector {
    fn base(&self) -> String {
        self.base()
    }

    fn search(&self, query: &Query) -> Result<Page, SearchError> {
        self.search(query)
    }
}

impl Client for Context {
    fn protocol(&self) -> String {
        self.protocol()
    }

    fn listener(&self) -> String {
        self.listener()
    }

    fn address(&self) -> IpAddress {
        self.client_address()
    }

    fn encrypted(&self) -> bool {
        self.encrypted()
    }

    fn mechanism(&self) -> Option<String> {
        self.mechanism()
    }

    fn login_name(&self) -> Option<String> {
        self.login_name()
    }

    fn authentication_id(&self) -> Option<String> {
        self.authentication_id()
    }

    fn certificate_name(&self) -> Option<String> {
        self.certificate_name()
    }

    fn sender(&self) -> Option<String> {
        self.sender()
    }

    fn now(&self) -> u64 {
        self.now()
    }
}
