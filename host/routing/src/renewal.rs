use std::sync::Arc;

use waypost_model::{Context, Lookup};

use crate::decide::Decide;
use crate::domains::DomainTable;
use crate::resolution::{Renewal, Resolution, Routed, Source};
use crate::router::{Demand, Question, Router};

impl Router {
    /// Asks again after a back end has rejected a login, or refused a recipient, on `rejected`.
    ///
    /// A route that was fresh is not asked about again. For one question no more than one fresh
    /// lookup is made in a second, however many rejections ask for it; those between get what the
    /// last one brought. Nothing stale is used: if the directory cannot be asked, nobody can say
    /// whether the rejection was right.
    pub async fn renew<P: Decide>(
        &self,
        domains: &DomainTable<P>,
        lookup: &Arc<Lookup>,
        context: &Arc<Context>,
        rejected: &Routed<P::Targets>,
    ) -> Renewal<P::Targets> {
        if rejected.source == Source::Fresh && !rejected.degraded {
            return Renewal::Unchanged;
        }
        let question = Question { lookup, context };
        let asked = match domains.find(lookup) {
            Some(served) => self.ask_in_order(served, question, Demand::Anew).await.resolution,
            None => Resolution::NotServed,
        };
        let renewal = match asked {
            Resolution::Route(routed) if routed.route == rejected.route => Renewal::Unchanged,
            Resolution::Route(routed) => Renewal::Changed(routed),
            Resolution::Refused { .. } | Resolution::Unknown { .. } | Resolution::NotServed => {
                Renewal::Withdrawn
            }
            Resolution::Temporary { policy, trouble } => Renewal::Temporary { policy, trouble },
        };
        self.metrics().renewal(renewal.kind());
        renewal
    }
}
