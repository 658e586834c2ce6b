//! What is typed or piped in. A plain thread reads it: tokio's stdin can hold up the end of the
//! program until somebody presses Enter.

use std::{
    io::{self, BufRead, Read},
    thread,
};

use tokio::sync::mpsc;

/// Bytes of the longest line that is read; more than the longest message any node accepts.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// Lines that wait for the node. When it is full, the pipe that feeds us waits.
pub(super) const INPUT_QUEUE: usize = 64;

/// One thing that came in.
#[derive(Debug, PartialEq, Eq)]
pub enum Input {
    /// A line without its end.
    Line(String),
    /// A line longer than [`MAX_LINE_BYTES`]; none of it is used.
    TooLong,
    /// A half-typed line was thrown away on request (Ctrl-C).
    Cleared,
    /// The person wants to leave now (Ctrl-C on an empty line).
    Interrupt,
    /// No more lines will come.
    End,
}

/// Reads lines in a thread until the end or until nobody wants them.
///
/// # Errors
/// When the system gives no thread.
pub fn read_lines(source: impl Read + Send + 'static) -> io::Result<mpsc::Receiver<Input>> {
    let (inputs, receiver) = mpsc::channel(INPUT_QUEUE);
    thread::Builder::new().name("input".into()).spawn(move || {
        let mut source = io::BufReader::new(source);
        loop {
            let input = read_line(&mut source).unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot read the input");
                Input::End
            });
            let last = input == Input::End;
            if inputs.blocking_send(input).is_err() || last {
                break;
            }
        }
    })?;
    Ok(receiver)
}

fn read_line(source: &mut impl BufRead) -> io::Result<Input> {
    let mut line = Vec::new();
    let longest = MAX_LINE_BYTES as u64 + 2;
    if source.take(longest).read_until(b'\n', &mut line)? == 0 {
        return Ok(Input::End);
    }
    let ended = line.ends_with(b"\n");
    let text = line.strip_suffix(b"\n").unwrap_or(&line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    if text.len() <= MAX_LINE_BYTES {
        return Ok(Input::Line(String::from_utf8_lossy(text).into_owned()));
    }
    if !ended {
        source.skip_until(b'\n')?;
    }
    Ok(Input::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(mut source: &[u8]) -> Vec<Input> {
        std::iter::from_fn(|| Some(read_line(&mut source).unwrap()).filter(|input| *input != Input::End))
            .collect()
    }

    fn lines(source: &[u8]) -> Vec<String> {
        let line = |input| match input {
            Input::Line(line) => line,
            other => panic!("{other:?}"),
        };
        inputs(source).into_iter().map(line).collect()
    }

    #[test]
    fn where_do_lines_end() {
        assert_eq!(lines(b"one\ntwo\r\n\nlast"), ["one", "two", "", "last"]);
        assert_eq!(lines(b""), [""; 0]);
        assert_eq!(lines(b"a\rb\n"), ["a\rb"]);
    }

    #[test]
    fn what_becomes_of_invalid_utf8() {
        assert_eq!(lines(b"a\xffb\n"), ["a\u{fffd}b"]);
    }

    #[test]
    fn is_a_line_that_is_too_long_refused_whole() {
        let longest = "x".repeat(MAX_LINE_BYTES);
        assert_eq!(lines(format!("{longest}\r\nnext\n").as_bytes()), [longest.as_str(), "next"]);
        for beyond in [1, 2, 3, 3 * MAX_LINE_BYTES] {
            let source = format!("{}{longest}\nnext\n", "x".repeat(beyond));
            assert_eq!(inputs(source.as_bytes()), [Input::TooLong, Input::Line("next".into())], "{beyond}");
        }
    }

    #[tokio::test]
    async fn does_the_thread_tell_the_end() {
        let mut inputs = read_lines(&b"hello\n"[..]).unwrap();
        assert_eq!(inputs.recv().await, Some(Input::Line("hello".into())));
        assert_eq!(inputs.recv().await, Some(Input::End));
        assert_eq!(inputs.recv().await, None);
    }
}
