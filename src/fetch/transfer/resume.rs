//! Bytes of an earlier run: continues after them, or discards them.

use std::io::{Read as _, Seek as _, SeekFrom};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tracing::info;
use url::Url;

use super::Transfer;
use crate::digest::Sha256;
use crate::error::{About as _, Error, Result};
use crate::log::FETCH;
use crate::store::Partial;
use crate::text;

/// The origin of the bytes in a partial file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub url: Url,
    pub validator: Option<String>,
    pub size: Option<u64>,
}

impl State {
    /// Reads the state beside a partial file.
    pub fn of(partial: &Partial) -> Option<Self> {
        partial.read_state().and_then(|text| serde_json::from_slice(&text).ok())
    }
}

impl Transfer<'_> {
    /// Takes in the bytes of an earlier run.
    pub(super) fn take_in_prefix(&mut self) -> Result<()> {
        // A range beyond the end would be refused. Without a promise the last byte is requested again, which also
        // checks that it is still the same file.
        if self.wanted.promise.is_none()
            && let Some(size) = self.state.as_ref().and_then(|state| state.size)
            && self.file.metadata()?.len() >= size
        {
            self.file.set_len(size.saturating_sub(1))?;
        }
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let count = self.file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            self.hash.update(&buffer[..count]);
            self.sink.take(Bytes::copy_from_slice(&buffer[..count])).about(self.wanted.name)?;
            self.have += count as u64;
            self.task.set_position(self.have);
        }
        self.patched = self.have > 0;
        if self.patched {
            self.task.skip(self.have);
            self.sink.resumed(self.have);
            let (name, have) = (self.wanted.name, text::bytes(self.have));
            info!(target: FETCH, "{name}: resumes after the {have} of an earlier run");
        }
        Ok(())
    }

    /// Discards all received bytes.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        if self.have > 0 {
            info!(target: FETCH, "{}: begins again, without the {} so far", self.wanted.name, text::bytes(self.have));
            self.sink.restart()?;
        }
        (self.hash, self.have, self.state, self.patched) = (Sha256::default(), 0, None, false);
        self.partial.forget_state();
        Ok(())
    }

    /// Keeps the origin of the bytes, if it is another than before.
    pub(super) fn keep_state(&mut self, state: State) -> Result<()> {
        if self.state.as_ref() != Some(&state) {
            let text = serde_json::to_vec(&state)
                .map_err(|error| Error::failure("cannot write the state of a download").because(&error))?;
            self.partial.write_state(&text)?;
            self.state = Some(state);
        }
        Ok(())
    }
}
