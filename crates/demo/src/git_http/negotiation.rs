//! What the client wants, what it has, and what it is told about that.

use std::io::Write;

use git2::{Oid, Repository};

use super::pkt_line::{self, Packet};
use crate::error::Result;

/// How the client wants to be told of common commits.
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
pub(super) struct Asked {
    pub wants: Vec<Oid>,
    pub side_band: bool,
    pub no_progress: bool,
    pub shallow: bool,
    acknowledge: Acknowledge,
    /// Haves, with `None` for each flush between them.
    haves: Vec<Option<Oid>>,
    done: bool,
}

impl Asked {
    /// `None` if that is no request.
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

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Commits that both sides have.
    pub common: Vec<Oid>,
    /// Whether the pack follows; else the client asks again.
    pub pack: bool,
}

/// Answers the haves of one request. Nothing is remembered: over HTTP the client repeats what is common.
pub(super) fn negotiate(repository: &Repository, asked: &Asked, out: &mut impl Write) -> Result<Outcome> {
    let mut common: Vec<Oid> = Vec::new();
    let (mut known_since_flush, mut unknown_since_flush) = (false, false);
    for have in &asked.haves {
        let detailed = asked.acknowledge == Acknowledge::Detailed;
        let Some(have) = have else {
            // `ready` spares the client to go on to the first commit of its history.
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
        // Git remembers as common only what is called `common`, so `ready` must not stand in its place.
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

/// Whether each want has a common commit among its ancestors: then there is no need to look further.
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
