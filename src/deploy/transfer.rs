//! Transfer of a snapshot to a host. The next run goes on where a broken one ended.
//!
//! On its way a snapshot is a file in [`PARTS`] that is named after the digest of the whole. Its bytes are the same
//! whenever it is written, so whatever has this name is the beginning of it. A run asks how long the beginning is, sends the rest to that
//! place, and the host compares the digest before it restores anything.

use std::io::{Seek as _, SeekFrom};

use fs_err::File;

use super::host::{Host, NEW_LOCK, PARTS};
use super::shipment::Shipment;
use super::{Deployment, Outcome};
use crate::error::{Error, Kind, Result};
use crate::export::snapshot::{Base, Part};
use crate::text;

impl Deployment<'_> {
    /// Sends these outputs beside these trees, and restores them on the host.
    pub(super) fn ship(&self, host: &Host, parts: Vec<Part>, beside: &[Base], outcome: &mut Outcome) -> Result<()> {
        let shipment = self.shipments.get(parts, beside, self.progress)?;
        let arrived = arrived(host, &shipment)?;
        match self.send_from(host, &shipment, arrived, outcome) {
            // A machine that lost its power may have written less than it says.
            Err(error) if error.kind() == Kind::Mismatch && arrived > 0 => {
                self.progress.note(&format!("{}: {}: sending everything", host.name, error.message()));
                self.send_from(host, &shipment, 0, outcome)
            }
            other => other,
        }
    }

    fn send_from(&self, host: &Host, shipment: &Shipment, arrived: u64, outcome: &mut Outcome) -> Result<()> {
        let rest = text::bytes(shipment.size - arrived);
        let what = if arrived > 0 {
            format!("the last {rest} of {}, the others arrived before", text::bytes(shipment.size))
        } else {
            rest
        };
        self.progress.note(&format!("{}: sending {what}: {}", host.name, outcome.outputs.join(", ")));
        let mut file = File::open(&shipment.file)?;
        file.seek(SeekFrom::Start(arrived))?;
        let answer = host.ask_one(&script(host, shipment, arrived), Some(file.file().try_clone()?));
        // ssh read from the same position.
        let sent = file.stream_position()?.saturating_sub(arrived);
        outcome.sent += sent;
        outcome.resumed = arrived;
        match answer {
            Err(error) if error.kind() == Kind::Unreachable && sent > 0 => {
                let broke =
                    Error::new(Kind::Unreachable, "the connection broke while outputs were sent").about(host.name);
                let broke = error.facts().fold(broke, |broke, (label, value)| broke.fact(label, value));
                Err(broke.hint("run the same command again: what arrived is not sent again"))
            }
            other => other.map(drop),
        }
    }
}

/// Returns the path of a snapshot that is on its way, as a word for the shell.
fn part(host: &Host, shipment: &Shipment) -> String {
    host.path(&format!("{PARTS}/{}", shipment.digest.hex()))
}

/// Returns the number of bytes that the host has from an earlier run. Removes what it has of other snapshots.
fn arrived(host: &Host, shipment: &Shipment) -> Result<u64> {
    let (parts, part) = (host.path(PARTS), part(host, shipment));
    let script = format!(
        "mkdir -p -- {parts} && for one in {parts}/*; do [ \"$one\" = {part} ] || rm -f -- \"$one\"; done && : >> {part} && \
         wc -c < {part}"
    );
    let length =
        host.ask_one(&script, None)?.as_u64().ok_or_else(|| host.odd("the length of a file is not a number"))?;
    Ok(length.min(shipment.size))
}

/// Returns the script that reads the rest of a snapshot and restores it.
fn script(host: &Host, shipment: &Shipment, arrived: u64) -> String {
    let part = part(host, shipment);
    let fails = |message: &str, kind: Kind| {
        format!("echo '{{\"error\": {{\"message\": \"{message}\"}}}}'; exit {}", kind as u8)
    };
    // Each byte has its place, so a run that the host has not yet given up does no harm. A connection that breaks looks
    // like the end of the input: only a file of full length is judged. One that a base is missing for is of no use.
    format!(
        "dd of={part} bs=65536 oflag=seek_bytes seek={arrived} conv=notrunc status=none || exit 1\n\
         [ \"$(wc -c < {part})\" -ge {} ] || {{ {}; }}\n\
         [ \"$(sha256sum < {part})\" = '{}  -' ] || {{ rm -f -- {part}; {}; }}\n\
         {}\ncode=$?\ncase $code in 0|{}) rm -f -- {part};; esac\nexit $code",
        shipment.size,
        fails("the transfer ended early", Kind::Unreachable),
        shipment.digest.hex(),
        fails("what arrived differs from what was sent", Kind::Mismatch),
        host.command(NEW_LOCK, &["snapshot", "restore", &format!("{PARTS}/{}", shipment.digest.hex())]),
        Kind::NotFound as u8,
    )
}
