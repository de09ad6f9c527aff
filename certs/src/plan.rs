//! What is due: a pure function of the instant and of what exists.
//!
//! A CA rotates in three steps, so that no replica ever serves a certificate whose CA the API
//! servers do not trust yet, nor one whose CA they no longer trust:
//!
//! 1. [`Step::PrepareNext`]: at two thirds of the CA's life its successor is made and joins the
//!    bundle. The old CA goes on signing. Once the registration is *seen* to hold the successor,
//!    that instant is noted ([`Step::Publish`]); where it is seen to have lost it, the note is
//!    taken back.
//! 2. [`Step::Promote`]: an overlap after that instant the successor issues a new leaf and is the
//!    CA from then on. The old one stays in the bundle, for replicas that still serve its leaf.
//! 3. [`Step::DropRetired`]: another overlap later, when every replica has looked several times,
//!    the old CA leaves the bundle.
//!
//! Only where no certificate is left that a client could accept are these waits cut short.

use std::fmt;

use jiff::Timestamp;

use crate::certificate::Validity;
use crate::issue::{issued_at, later};
use crate::jitter::Jitter;
use crate::settings::Settings;

/// What exists, as far as the plan needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The serving certificate; none where it is missing or cannot be read.
    pub leaf: Option<LeafFacts>,
    /// The CA that signs now.
    pub issuing: Option<IssuingFacts>,
    /// The CA that will sign next.
    pub next: Option<NextFacts>,
    /// The last instants of the CAs that are still trusted and sign no more.
    pub retired: Vec<Timestamp>,
    /// When the latest of them ceased to sign.
    pub retired_since: Option<Timestamp>,
}

/// The serving certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafFacts {
    /// Its dates.
    pub validity: Validity,
    /// Whether it is for all names that are wanted; it may be for more.
    pub covers_names: bool,
    /// Whether the CA that signs now has signed it.
    pub signed_by_issuing: bool,
}

/// The CA that signs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuingFacts {
    /// Its dates.
    pub validity: Validity,
    /// Whether its key is there and fits.
    pub has_key: bool,
}

/// The CA that will sign next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextFacts {
    /// Its dates.
    pub validity: Validity,
    /// Since when the registration is known to hold it.
    pub published: Option<Timestamp>,
    /// Whether the registration holds it now.
    pub in_registration: bool,
}

/// One step. After it is taken, the plan is asked again, until it says to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing is due.
    Keep,
    /// The issuing CA makes a new leaf.
    RenewLeaf(Reason),
    /// A CA is made that will sign next.
    PrepareNext(Reason),
    /// Notes since when the next CA is known to be in the registration.
    Publish(Option<Timestamp>),
    /// The next CA makes a new leaf and becomes the issuing one.
    Promote(Reason),
    /// CAs that expired, or that no leaf needs any more, leave the bundle.
    DropRetired,
    /// A new CA and a new leaf, at once; CAs that clients may still need stay in the bundle.
    Remake(Reason),
}

/// Why a step is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is not there, or cannot be read.
    Missing,
    /// Two thirds of its life are over.
    Due,
    /// It has expired.
    Expired,
    /// It begins in the future: a clock was ahead when it was made.
    NotYetValid,
    /// It lacks a name that is wanted.
    Names,
    /// It was signed by another CA, or does not fit it.
    Signer,
    /// The CA's key is missing or does not fit.
    Key,
    /// The new CA has been trusted for the whole overlap.
    Overlap,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing or unreadable",
            Self::Due => "two thirds of its life are over",
            Self::Expired => "expired",
            Self::NotYetValid => "not yet valid",
            Self::Names => "names are missing in it",
            Self::Signer => "not signed by the CA",
            Self::Key => "the CA's key is missing or does not fit",
            Self::Overlap => "the new CA has been trusted for long enough",
        })
    }
}

/// The step that is due at `now`.
///
/// `jitter` moves the renewal of the leaf by up to a twentieth of its life, so that the replica
/// whose share is smallest renews it and the others find it renewed.
pub fn plan(now: Timestamp, facts: &Facts, settings: &Settings, jitter: Jitter) -> Step {
    if drop_retired(facts, settings).is_some_and(|due| due <= now) {
        return Step::DropRetired;
    }
    if let Some(next) = facts.next {
        match (next.in_registration, next.published) {
            (true, None) => return Step::Publish(Some(now)),
            (false, Some(_)) => return Step::Publish(None),
            _ => {}
        }
    }
    if let Some(reason) = leaf_defect(now, facts) {
        return replace_leaf(now, facts, reason);
    }
    let next_holds = facts.next.is_some_and(|next| next.validity.holds_at(now));
    if !next_holds && let Some(reason) = ca_defect(now, facts) {
        return Step::PrepareNext(reason);
    }
    if next_holds && promotion(facts, settings).is_some_and(|due| due <= now) {
        return Step::Promote(Reason::Overlap);
    }
    if renewal(facts, jitter).is_some_and(|due| due <= now) {
        return Step::RenewLeaf(Reason::Due);
    }
    Step::Keep
}

/// The next instant after `now` at which a step may fall due by the passing of time alone.
pub fn next_due(now: Timestamp, facts: &Facts, settings: &Settings, jitter: Jitter) -> Option<Timestamp> {
    let ends = [
        facts.leaf.map(|leaf| leaf.validity.not_after),
        facts.issuing.map(|ca| two_thirds(ca.validity)),
        facts.issuing.map(|ca| ca.validity.not_after),
        facts.next.map(|next| next.validity.not_after),
        drop_retired(facts, settings),
        promotion(facts, settings),
        renewal(facts, jitter),
    ];
    ends.into_iter().flatten().filter(|due| *due > now).min()
}

/// What keeps clients from accepting the leaf at this instant.
fn leaf_defect(now: Timestamp, facts: &Facts) -> Option<Reason> {
    let (Some(leaf), Some(issuing)) = (facts.leaf, facts.issuing) else {
        return Some(Reason::Missing);
    };
    if !leaf.signed_by_issuing {
        return Some(Reason::Signer);
    }
    if !leaf.covers_names {
        return Some(Reason::Names);
    }
    defect(now, leaf.validity).or_else(|| defect(now, issuing.validity))
}

/// A new leaf, now, from the best CA at hand.
fn replace_leaf(now: Timestamp, facts: &Facts, reason: Reason) -> Step {
    let issuing_signs = facts.issuing.is_some_and(|ca| ca.has_key && ca.validity.holds_at(now));
    if issuing_signs {
        return Step::RenewLeaf(reason);
    }
    // Clients may not trust the next CA yet, but they accept nothing else either.
    if facts.next.is_some_and(|next| next.validity.holds_at(now)) {
        return Step::Promote(reason);
    }
    Step::Remake(reason)
}

/// Why the issuing CA, whose leaf is still good, needs a successor.
fn ca_defect(now: Timestamp, facts: &Facts) -> Option<Reason> {
    let issuing = facts.issuing?;
    if !issuing.has_key {
        return Some(Reason::Key);
    }
    (two_thirds(issuing.validity) <= now).then_some(Reason::Due)
}

fn defect(now: Timestamp, validity: Validity) -> Option<Reason> {
    if now > validity.not_after {
        Some(Reason::Expired)
    } else if now < validity.not_before {
        Some(Reason::NotYetValid)
    } else {
        None
    }
}

fn two_thirds(validity: Validity) -> Timestamp {
    let issued = issued_at(validity);
    let life = validity.not_after.duration_since(issued).unsigned_abs();
    later(issued, life * 2 / 3)
}

/// When the leaf is renewed. Not at all where the CA cannot sign, or where the new one would end
/// no later than this one: at the end of a CA's life that would go on in ever smaller steps.
fn renewal(facts: &Facts, jitter: Jitter) -> Option<Timestamp> {
    let leaf = facts.leaf?.validity;
    let issuing = facts.issuing?;
    if !issuing.has_key || leaf.not_after >= issuing.validity.not_after {
        return None;
    }
    let life = leaf.not_after.duration_since(issued_at(leaf)).unsigned_abs();
    Some(later(two_thirds(leaf), jitter.of(life / 20)))
}

fn promotion(facts: &Facts, settings: &Settings) -> Option<Timestamp> {
    let published = facts.next?.published?;
    Some(later(published, settings.overlap()))
}

fn drop_retired(facts: &Facts, settings: &Settings) -> Option<Timestamp> {
    let expired = facts.retired.iter().min()?;
    // A set of retired CAs whose beginning was lost is of no one knows what age: trust ends.
    let unneeded = facts.retired_since.map_or(Timestamp::MIN, |since| later(since, settings.overlap()));
    Some(unneeded.min(*expired))
}

#[cfg(test)]
mod tests;
