//! What the front must know before a request may go to a back end.

use http::Method;
use http::header::{AUTHORIZATION, UPGRADE};
use waypost_model::{Route, Verification};
use waypost_routing::{Decide, Renewal, Routed};
use waypost_session::Grant;
use waypost_verify::Unverified;

use crate::answer::{Reason, Uncheckable};
use crate::back::Head;
use crate::body::ClientBody;
use crate::exchange::{Errand, Exchange};
use crate::headers::OVERRIDES;
use crate::proof::Proof;
use crate::reception::Visit;

impl<P: Decide> Exchange<'_, P>
where
    P::Targets: Grant,
{
    /// Checks what a route asks for, and finds the route that stands: a password that is wrong may
    /// have been checked against an entry that is not the user's any more, so what has changed is
    /// tried once.
    pub(crate) async fn verify(
        &self,
        errand: &mut Errand<'_, P>,
        routed: Routed<P::Targets>,
        body: &ClientBody,
    ) -> Result<Routed<P::Targets>, Reason> {
        let wrong = match self.verify_once(errand, &routed.route, body).await {
            Ok(()) => return Ok(routed),
            Err(Reason::Unverified(wrong @ Unverified::Wrong)) => wrong,
            Err(reason) => return Err(reason),
        };
        let router = &self.session.service.process.router;
        let (lookup, context) = (&errand.asker.name.lookup, &errand.asker.context);
        match router.renew(&errand.generation.domains, lookup, context, &routed).await {
            Renewal::Unchanged | Renewal::Withdrawn => Err(wrong.into()),
            Renewal::Temporary { trouble, .. } => Err(Reason::Trouble(trouble)),
            // Each check counts with servers that lock accounts.
            Renewal::Changed(changed)
                if changed.route.verification == routed.route.verification =>
            {
                Err(wrong.into())
            }
            Renewal::Changed(changed) => {
                self.verify_once(errand, &changed.route, body).await?;
                Ok(changed)
            }
        }
    }

    pub(crate) async fn verify_once(
        &self,
        errand: &mut Errand<'_, P>,
        route: &Route,
        body: &ClientBody,
    ) -> Result<(), Reason> {
        errand.proof = None;
        if route.verification == Verification::ByBackend {
            return Ok(());
        }
        let asker = errand.asker;
        if let Visit::Cookie { .. } = asker.visit {
            let proof =
                Proof::of(&route.verification).filter(|it| asker.browser.proof() == Some(*it));
            return match proof {
                Some(proof) => {
                    errand.proof = Some(proof);
                    Ok(())
                }
                None => self.let_see(&errand.head, body),
            };
        }
        let password = asker.visit.password().ok_or(Uncheckable::NoPasswordField)?;
        // The password is the other's, and the entry is not.
        if asker.name.authentication_id.is_some() {
            return Err(Reason::OnBehalf);
        }
        let process = &self.session.service.process;
        if errand.attempt.was_right_for(route) {
            process.verifier.spared();
        } else {
            let directory = errand.generation.verifying(route);
            process.verifier.verify(route, directory, password).await?;
            errand.attempt.found_right(route);
        }
        errand.proof = Proof::of(&route.verification);
        Ok(())
    }

    /// A browser whose user has not shown the right password may fetch what it takes to show a login
    /// page. Everything else may be a login that a back end takes and nobody has looked at.
    pub(crate) fn let_see(&self, head: &Head, body: &ClientBody) -> Result<(), Reason> {
        if head.headers.contains_key(AUTHORIZATION) {
            return Err(Reason::NotForTheFront);
        }
        // There are back ends to which a field says what the method really is.
        let is_overridden = OVERRIDES.iter().any(|name| head.headers.contains_key(*name));
        let is_safe =
            matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS) && !is_overridden;
        let query = head.target.query().unwrap_or_default();
        let forms = &self.session.service.settings.identification.login_forms;
        let has_password = forms.iter().any(|rule| rule.is_password_in(query));
        match is_safe && body.is_empty() && !has_password && !head.headers.contains_key(UPGRADE) {
            true => Ok(()),
            false => Err(Uncheckable::Browser.into()),
        }
    }
}
