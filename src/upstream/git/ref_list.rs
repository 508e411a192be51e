//! Reads the list of refs from a program, before libgit2 gets any of it.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

use super::{advertisement, bounds, packets};
use crate::error::{Error, Result};
use crate::text::visible;

/// Time for the rest of a line that is no packet.
const REST: Duration = Duration::from_secs(2);

/// The reason why a list of refs has no end.
pub(super) enum Stop {
    /// The program closed its output.
    Pipe,
    /// It said nothing for this long.
    Silent(Duration),
}

/// Fills a buffer. Fails if the program is silent for too long.
async fn fill(from: &mut (impl AsyncRead + Unpin), mut buffer: &mut [u8], limit: Duration) -> Result<(), Stop> {
    while !buffer.is_empty() {
        let read = timeout(limit, from.read(buffer)).await.map_err(|_| Stop::Silent(limit))?;
        let Ok(count @ 1..) = read else { return Err(Stop::Pipe) };
        buffer = &mut buffer[count..];
    }
    Ok(())
}

/// Reads a list of refs to its end: the first packet must begin within `patience`, and no pause be longer than
/// `window`.
pub(super) async fn read_list(
    from: &mut (impl AsyncRead + Unpin),
    patience: Duration,
    window: Duration,
) -> Result<Result<Vec<u8>>, Stop> {
    let mut all = Vec::new();
    loop {
        let mut head = [0; 4];
        fill(from, &mut head, if all.is_empty() { patience } else { window }).await?;
        let Some(length) = packets::length(head) else { return Ok(Err(other(&head, from).await)) };
        all.extend(head);
        if length == 0 {
            return Ok(Ok(all));
        }
        let Some(line) = length.checked_sub(4) else { return Ok(Err(packets::garbled())) };
        if all.len() + line > bounds::ADVERTISEMENT {
            return Ok(Err(advertisement::too_many(format!("{} bytes", bounds::ADVERTISEMENT))));
        }
        let begin = all.len();
        all.resize(begin + line, 0);
        fill(from, &mut all[begin..], window).await?;
    }
}

/// Returns the error for output that is not a packet.
async fn other(begin: &[u8], from: &mut (impl AsyncRead + Unpin)) -> Error {
    let mut rest = [0; 200];
    let read = timeout(REST, from.read(&mut rest)).await;
    let rest = read.ok().and_then(Result::ok).map_or(&[][..], |count| &rest[..count]);
    let text = String::from_utf8_lossy(&[begin, rest].concat()).into_owned();
    advertisement::no_answer()
        .fact("answer", visible(text.lines().next().unwrap_or_default()))
        .hint("check the address; what the shell of the other side prints when it starts must go to a terminal only")
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    const SHORT: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_secs(600);

    /// Reads a list of which the first piece is here, and the others come one by one. The writer stays.
    fn read(pieces: &'static [&'static str], patience: Duration, window: Duration) -> Result<Result<Vec<u8>>, Stop> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut pieces = pieces.iter().copied();
        runtime.block_on(async {
            let (mut to, mut from) = tokio::io::duplex(1024);
            to.write_all(pieces.next().unwrap_or_default().as_bytes()).await.unwrap();
            tokio::spawn(async move {
                for piece in pieces {
                    tokio::time::sleep(SHORT * 3).await;
                    to.write_all(piece.as_bytes()).await.unwrap();
                }
                std::future::pending::<()>().await;
            });
            read_list(&mut from, patience, window).await
        })
    }

    #[test]
    fn a_slow_server_is_not_a_silent_one() {
        const SLOW: &[&str] = &["0008", "a", "b", "c", "d", "0008", "a", "b", "c", "d", "0000"];
        assert!(matches!(read(SLOW, SHORT, LONG), Ok(Ok(list)) if list == b"0008abcd0008abcd0000"));
        assert!(matches!(read(&["0008", "ab"], LONG, SHORT), Err(Stop::Silent(time)) if time == SHORT));
        assert!(matches!(read(&[], SHORT, LONG), Err(Stop::Silent(time)) if time == SHORT));
    }
}
