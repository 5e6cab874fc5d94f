//! Who the client is, as far as the front finds out, before anything reaches a back end.

use waypost_model::{Route, Verification};
use waypost_routing::{Decide, Routed};
use waypost_session::{Generation, Grant};
use waypost_verify::{Challenge, Unverified};
use waypost_wire::login::Credential;

use crate::attempt::Attempt;
use crate::session::Session;
use crate::verdict::Reason;

impl<P: Decide> Session<P>
where
    P::Targets: Grant,
{
    /// Checks the password where the route says that the front does. A certificate has been checked by
    /// TLS, whatever the route says of passwords. Once a password has been found right
    /// for a principal it is not checked again in the same login: each check counts with servers
    /// that lock accounts.
    pub(crate) async fn verify(
        &self,
        generation: &Generation<P>,
        routed: &Routed<P::Targets>,
        attempt: &mut Attempt<'_, P::Targets>,
    ) -> Result<(), Reason> {
        let route: &Route = &routed.route;
        if let Credential::Digest { mechanism, challenge, digest, .. } = attempt.credential {
            let challenge = match mechanism {
                Some(_) => Challenge::CramMd5 { challenge, digest },
                None => Challenge::Apop { timestamp: challenge, digest },
            };
            return self.verify_digest(generation, routed, &challenge, attempt).await;
        }
        if let Credential::Certificate { .. } = attempt.credential {
            // A name with a master separator: there is no password that could be the master's.
            if attempt.context.authentication_id.is_some() {
                return Err(Reason::OnBehalf);
            }
            attempt.verified = Some(route.verification.clone());
            return Ok(());
        }
        if route.verification == Verification::ByBackend {
            return Ok(());
        }
        if attempt.verified.as_ref().is_some_and(|known| *known == route.verification) {
            return Ok(());
        }
        if let Some((wrong, why)) = &attempt.unverified
            && *wrong == route.verification
        {
            return Err(Reason::Unverified(why.clone()));
        }
        let Credential::Password { password, .. } = attempt.credential else {
            return Err(Reason::NotForTheFront);
        };
        // The password is the other's, and the entry is not.
        if attempt.context.authentication_id.is_some() {
            return Err(Reason::OnBehalf);
        }
        let directory = generation.verifying(route);
        match self.process().verifier.verify(route, directory, password).await {
            Ok(_) => {
                attempt.verified = Some(route.verification.clone());
                Ok(())
            }
            Err(why) => {
                if matches!(why, Unverified::Wrong | Unverified::Denied(_)) {
                    attempt.unverified = Some((route.verification.clone(), why.clone()));
                }
                Err(Reason::Unverified(why))
            }
        }
    }

    /// Checks a digest of a challenge, for which the front must know the password.
    async fn verify_digest(
        &self,
        generation: &Generation<P>,
        routed: &Routed<P::Targets>,
        challenge: &Challenge<'_>,
        attempt: &mut Attempt<'_, P::Targets>,
    ) -> Result<(), Reason> {
        let route: &Route = &routed.route;
        let Verification::ByPassword(principal) = &route.verification else {
            return Err(Reason::NeedsClearPassword);
        };
        if attempt.context.authentication_id.is_some() {
            return Err(Reason::OnBehalf);
        }
        let directory = generation.verifying(route);
        match self.process().verifier.verify_challenge(principal, directory, challenge).await {
            Ok(password) => {
                attempt.verified = Some(route.verification.clone());
                attempt.clear = Some(password);
                Ok(())
            }
            // Like a wrong password: else it would tell who exists.
            Err(Unverified::Unusable(_)) => Err(Reason::NeedsClearPassword),
            Err(why) => Err(Reason::Unverified(why)),
        }
    }
}
