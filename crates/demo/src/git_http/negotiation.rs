//! The negotiation of a fetch: the objects that the client wants and has, and the answers.

use std::io::Write;

use git2::{Oid, Repository};

use super::pkt_line::{self, Packet};
use crate::error::Result;

/// The form in which the client wants common commits acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Acknowledge {
    #[default]
    Once,
    Continue,
    Detailed,
}

/// An upload-pack request.
#[derive(Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word that the client said or did not")]
pub(super) struct UploadRequest {
    pub wants: Vec<Oid>,
    pub side_band: bool,
    pub no_progress: bool,
    pub shallow: bool,
    acknowledge: Acknowledge,
    /// The haves, with `None` for each flush between them.
    haves: Vec<Option<Oid>>,
    done: bool,
}

impl UploadRequest {
    /// Parses a request; `None` if it is malformed.
    pub(super) fn parse(packets: &[Packet<'_>]) -> Option<Self> {
        let mut asked = Self::default();
        let mut packets = packets.iter();
        loop {
            match packets.next()? {
                Packet::Flush => break,
                Packet::Line(line) => {
                    if let Some(want) = line.strip_prefix("want ") {
                        let (id, capabilities) = want.split_once(' ').unwrap_or((want, ""));
                        if asked.wants.is_empty() {
                            asked.capabilities(capabilities);
                        }
                        asked.wants.push(full_id(id)?);
                    } else if line.starts_with("shallow ") || line.starts_with("deepen") || line.starts_with("filter ")
                    {
                        asked.shallow = true;
                    } else {
                        return None;
                    }
                }
            }
        }
        for packet in packets {
            match packet {
                _ if asked.done => return None,
                Packet::Flush => asked.haves.push(None),
                Packet::Line("done") => asked.done = true,
                Packet::Line(line) => asked.haves.push(Some(full_id(line.strip_prefix("have ")?)?)),
            }
        }
        (!asked.wants.is_empty()).then_some(asked)
    }

    fn capabilities(&mut self, text: &str) {
        for word in text.split(' ') {
            match word {
                "side-band-64k" => self.side_band = true,
                "no-progress" => self.no_progress = true,
                "multi_ack_detailed" => self.acknowledge = Acknowledge::Detailed,
                "multi_ack" if self.acknowledge == Acknowledge::Once => self.acknowledge = Acknowledge::Continue,
                _ => {}
            }
        }
    }
}

fn full_id(text: &str) -> Option<Oid> {
    Oid::from_str(text).ok().filter(|_| text.len() == 40)
}

/// The result of a negotiation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Commits that both sides have.
    pub common: Vec<Oid>,
    /// True if the pack follows; else the client asks again.
    pub pack: bool,
}

/// Answers the haves of one request. Keeps no state: over HTTP the client repeats the common commits.
pub(super) fn negotiate(repository: &Repository, asked: &UploadRequest, out: &mut impl Write) -> Result<Outcome> {
    let mut common: Vec<Oid> = Vec::new();
    let (mut known_since_flush, mut unknown_since_flush) = (false, false);
    for have in &asked.haves {
        let detailed = asked.acknowledge == Acknowledge::Detailed;
        let Some(have) = have else {
            // `ready` saves the client from going on to the first commit of its history.
            if let Some(last) = common.last().filter(|_| detailed && known_since_flush && !unknown_since_flush)
                && covers(repository, &asked.wants, &common)
            {
                pkt_line::write(out, format!("ACK {last} ready\n").as_bytes())?;
            }
            if common.is_empty() || asked.acknowledge != Acknowledge::Once {
                pkt_line::write(out, b"NAK\n")?;
            }
            (known_since_flush, unknown_since_flush) = (false, false);
            continue;
        };
        let known = repository.find_object(*have, None).is_ok();
        if known {
            common.push(*have);
            known_since_flush = true;
        } else {
            unknown_since_flush = true;
        }
        // Git only remembers commits acknowledged as `common`, so `ready` must not replace that.
        let word = match asked.acknowledge {
            Acknowledge::Once if known && common.len() == 1 => "",
            Acknowledge::Continue if known => " continue",
            Acknowledge::Detailed if known => " common",
            Acknowledge::Continue if covers(repository, &asked.wants, &common) => " continue",
            Acknowledge::Detailed if covers(repository, &asked.wants, &common) => " ready",
            _ => continue,
        };
        pkt_line::write(out, format!("ACK {have}{word}\n").as_bytes())?;
    }
    if asked.done {
        match common.last() {
            Some(last) if asked.acknowledge != Acknowledge::Once => {
                pkt_line::write(out, format!("ACK {last}\n").as_bytes())?;
            }
            Some(_) => {}
            None => pkt_line::write(out, b"NAK\n")?,
        }
    }
    Ok(Outcome { common, pack: asked.done })
}

/// Returns whether each want has a common commit among its ancestors, so that there is no need to look further.
fn covers(repository: &Repository, wants: &[Oid], common: &[Oid]) -> bool {
    wants.iter().all(|want| {
        let commit = repository.find_object(*want, None).and_then(|object| object.peel_to_commit());
        commit.is_ok_and(|commit| {
            common
                .iter()
                .any(|have| *have == commit.id() || repository.graph_descendant_of(commit.id(), *have).unwrap_or(false))
        })
    })
}
