//! The certificates that exist, and how a step of the plan changes them.

use jiff::Timestamp;

use crate::certificate::{Certificate, bundle};
use crate::inject::Observed;
use crate::issue::{IssueError, Pair, issue_ca, issue_leaf, later};
use crate::jitter::Jitter;
use crate::key::PrivateKey;
use crate::names::Names;
use crate::plan::{Facts, IssuingFacts, LeafFacts, NextFacts, Reason, Step, plan};
use crate::settings::Settings;

/// At most this many CAs of unknown origin stay trusted when everything is made anew.
const MOST_INHERITED: usize = 4;

/// More steps than any situation takes; reached, it is a fault of the plan.
const MOST_STEPS: usize = 8;

/// All certificates of the webhook, as one replica finds or leaves them.
#[derive(Debug, Default)]
pub struct State {
    /// The serving certificate.
    pub leaf: Option<Pair>,
    /// The CA that signs now.
    pub issuing: Option<Issuing>,
    /// The CA that will sign next.
    pub next: Option<Next>,
    /// CAs that sign no more and are still trusted.
    pub retired: Vec<Certificate>,
    /// When the latest of them ceased to sign.
    pub retired_since: Option<Timestamp>,
}

/// The CA that signs now. It stays trusted where its key is lost.
#[derive(Debug)]
pub struct Issuing {
    /// Its certificate.
    pub certificate: Certificate,
    /// Its key, where that is there and fits.
    pub key: Option<PrivateKey>,
}

/// The CA that will sign next.
#[derive(Debug)]
pub struct Next {
    /// Its certificate and key.
    pub pair: Pair,
    /// Since when the registration is known to hold it.
    pub published: Option<Timestamp>,
}

/// What a replica brings to the plan.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The names to serve.
    pub names: &'a Names,
    /// Lives and overlap.
    pub settings: &'a Settings,
    /// This replica's share of chance.
    pub jitter: Jitter,
}

/// A step that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A certificate could not be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The plan asks for what is not there, or comes to no end.
    #[error("the plan of the certificates came to no end at {step:?}: this is a fault, report it")]
    Astray {
        /// The step it stopped at.
        step: Step,
    },
}

impl State {
    /// Every trusted CA: the issuing one first, then the next, then the retired.
    pub fn authorities(&self) -> impl Iterator<Item = &Certificate> {
        let issuing = self.issuing.iter().map(|issuing| &issuing.certificate);
        let next = self.next.iter().map(|next| &next.pair.certificate);
        issuing.chain(next).chain(&self.retired)
    }

    /// The CA bundle for clients, as PEM.
    pub fn bundle(&self) -> String {
        bundle(self.authorities())
    }

    /// What the plan needs to know of this state and of the registration.
    pub fn facts(&self, names: &Names, observed: &Observed) -> Facts {
        let issuing = self.issuing.as_ref();
        Facts {
            leaf: self.leaf.as_ref().map(|leaf| LeafFacts {
                validity: leaf.certificate.validity(),
                covers_names: names.are_within(leaf.certificate.names()),
                signed_by_issuing: issuing.is_some_and(|ca| leaf.certificate.is_signed_by(&ca.certificate)),
            }),
            issuing: issuing
                .map(|ca| IssuingFacts { validity: ca.certificate.validity(), has_key: ca.key.is_some() }),
            next: self.next.as_ref().map(|next| NextFacts {
                validity: next.pair.certificate.validity(),
                published: next.published,
                in_registration: observed.holds(&next.pair.certificate),
            }),
            retired: self.retired.iter().map(|ca| ca.validity().not_after).collect(),
            retired_since: self.retired_since,
        }
    }

    /// Takes every step that is due at `now`, and returns them: none where all is well.
    ///
    /// # Errors
    /// [`StateError`] where a certificate cannot be made. The state is then of no further use.
    pub fn settle(
        &mut self,
        now: Timestamp,
        terms: Terms<'_>,
        observed: &Observed,
    ) -> Result<Vec<Step>, StateError> {
        let mut taken = Vec::new();
        loop {
            let facts = self.facts(terms.names, observed);
            let step = plan(now, &facts, terms.settings, terms.jitter);
            if step == Step::Keep {
                return Ok(taken);
            }
            if taken.len() == MOST_STEPS {
                return Err(StateError::Astray { step });
            }
            self.take(step, now, terms, observed)?;
            taken.push(step);
        }
    }

    fn take(
        &mut self,
        step: Step,
        now: Timestamp,
        terms: Terms<'_>,
        observed: &Observed,
    ) -> Result<(), StateError> {
        let settings = terms.settings;
        match step {
            Step::Keep => {}
            Step::RenewLeaf(reason) => {
                let names = self.names_for(reason, terms.names);
                let issuing = self.issuing.take().and_then(Issuing::into_pair);
                let ca = issuing.ok_or(StateError::Astray { step })?;
                self.leaf = Some(issue_leaf(&ca, &names, now, settings.leaf_life())?);
                self.issuing = Some(Issuing::from(ca));
            }
            Step::PrepareNext(_) => {
                self.next = Some(Next { pair: issue_ca(now, settings.ca_life())?, published: None });
            }
            Step::Publish(since) => {
                if let Some(next) = &mut self.next {
                    next.published = since;
                }
            }
            Step::Promote(reason) => {
                let names = self.names_for(reason, terms.names);
                let next = self.next.take().ok_or(StateError::Astray { step })?;
                self.enthrone(next.pair, &names, now, settings)?;
            }
            Step::DropRetired => self.drop_retired(now, settings),
            Step::Remake(reason) => {
                let names = self.names_for(reason, terms.names);
                let inherited = observed.authorities().into_iter().take(MOST_INHERITED);
                for ca in inherited {
                    self.retire(ca, now);
                }
                self.enthrone(issue_ca(now, settings.ca_life())?, &names, now, settings)?;
            }
        }
        Ok(())
    }

    /// Makes this the issuing CA, with a leaf of its own; those before it retire.
    fn enthrone(
        &mut self,
        ca: Pair,
        names: &Names,
        now: Timestamp,
        settings: &Settings,
    ) -> Result<(), StateError> {
        self.leaf = Some(issue_leaf(&ca, names, now, settings.leaf_life())?);
        let before = [
            self.issuing.take().map(|issuing| issuing.certificate),
            self.next.take().map(|next| next.pair.certificate),
        ];
        for certificate in before.into_iter().flatten() {
            self.retire(certificate, now);
        }
        self.retired_since = (!self.retired.is_empty()).then_some(now);
        self.issuing = Some(Issuing::from(ca));
        Ok(())
    }

    fn retire(&mut self, ca: Certificate, now: Timestamp) {
        let trusted = self.authorities().any(|known| *known == ca);
        if !trusted && ca.is_ca() && ca.validity().holds_at(now) {
            self.retired.push(ca);
            self.retired_since = Some(now);
        }
    }

    fn drop_retired(&mut self, now: Timestamp, settings: &Settings) {
        let needed = self.retired_since.is_some_and(|since| now < later(since, settings.overlap()));
        // At its last second a CA is due to go, as the plan has it.
        self.retired.retain(|ca| needed && now < ca.validity().not_after);
        if self.retired.is_empty() {
            self.retired_since = None;
        }
    }

    /// The names of a new leaf. One that lacked names is widened, not exchanged: while an update
    /// rolls, replicas that want other names would otherwise take turns in replacing it.
    fn names_for(&self, reason: Reason, wanted: &Names) -> Names {
        match (&self.leaf, reason) {
            (Some(leaf), Reason::Names) => wanted.with(leaf.certificate.names()),
            _ => wanted.clone(),
        }
    }
}

impl Issuing {
    fn into_pair(self) -> Option<Pair> {
        let Self { certificate, key } = self;
        key.map(|key| Pair { certificate, key })
    }
}

impl From<Pair> for Issuing {
    fn from(pair: Pair) -> Self {
        Self { certificate: pair.certificate, key: Some(pair.key) }
    }
}

#[cfg(test)]
mod tests;
