//! From bytes to text, as Python reads a source file: byte-order mark, coding cookie, else UTF-8 (PEP 263).

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::errors::Diagnosis;

/// A source as text. `problem` says why Python itself would refuse these bytes; the text is a best guess then.
pub struct Decoded<'a> {
    pub text: Cow<'a, str>,
    pub problem: Option<Diagnosis>,
}

/// Return the text of `bytes`; any bytes at all give a text.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    if let Some((encoding, length)) = Encoding::for_bom(bytes) {
        return decode_marked(&bytes[length..], encoding);
    }
    match coding_cookie(bytes) {
        None => decode_utf8(bytes),
        Some(label) => decode_labelled(bytes, label),
    }
}

/// Return the text of bytes in a language that knows no coding cookie: UTF-8, or what a byte-order mark says.
pub fn decode_plain(bytes: &[u8]) -> Decoded<'_> {
    match Encoding::for_bom(bytes) {
        Some((encoding, length)) if encoding != UTF_8 => {
            Decoded { text: encoding.decode_without_bom_handling(&bytes[length..]).0, problem: None }
        }
        Some((_, length)) => decode_utf8(&bytes[length..]),
        None => decode_utf8(bytes),
    }
}

fn decode_marked<'a>(bytes: &'a [u8], encoding: &'static Encoding) -> Decoded<'a> {
    if encoding == UTF_8 {
        return decode_utf8(bytes);
    }
    let (text, _) = encoding.decode_without_bom_handling(bytes);
    let problem = Diagnosis {
        line: 1,
        column: 1,
        message: format!("the file is {}, Python reads UTF-8", encoding.name()),
    };
    Decoded { text, problem: Some(problem) }
}

fn decode_utf8(bytes: &[u8]) -> Decoded<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Decoded { text: Cow::Borrowed(text), problem: None },
        Err(error) => {
            let line = 1 + memchr::memchr_iter(b'\n', &bytes[..error.valid_up_to()]).count() as u32;
            let message = format!("byte {:#04x} is not valid UTF-8", bytes[error.valid_up_to()]);
            Decoded { text: decode_latin1(bytes), problem: Some(Diagnosis { line, column: 1, message }) }
        }
    }
}

fn decode_labelled<'a>(bytes: &'a [u8], label: &[u8]) -> Decoded<'a> {
    let normal: Vec<u8> =
        label.iter().map(|byte| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }).collect();
    if normal == b"utf-8" || normal.starts_with(b"utf-8-") || normal == b"utf8" {
        return decode_utf8(bytes);
    }
    if is_latin1(&normal) {
        return Decoded { text: decode_latin1(bytes), problem: None };
    }
    match Encoding::for_label(&normal).filter(|encoding| ![UTF_16BE, UTF_16LE].contains(encoding)) {
        Some(encoding) => {
            let (text, has_errors) = encoding.decode_without_bom_handling(bytes);
            let problem = has_errors
                .then(|| Diagnosis::of_file(format!("not every byte is valid {}", encoding.name())));
            Decoded { text, problem }
        }
        // Python has a few more codecs than the Web; nearly all agree with ASCII where syntax is concerned.
        None => {
            let name = String::from_utf8_lossy(label);
            let problem = Diagnosis { line: 1, column: 1, message: format!("unknown encoding: {name}") };
            Decoded { text: decode_latin1(bytes), problem: Some(problem) }
        }
    }
}

// The Web's "latin1" label means windows-1252, Python's does not.
fn is_latin1(label: &[u8]) -> bool {
    const NAMES: [&[u8]; 6] = [b"latin-1", b"latin1", b"iso-8859-1", b"iso8859-1", b"l1", b"us-ascii"];
    NAMES.contains(&label) || label.starts_with(b"latin-1-") || label.starts_with(b"iso-8859-1-")
}

fn decode_latin1(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => Cow::Borrowed(text),
        _ => Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// The name in `# -*- coding: name -*-` on one of the first two lines; the first must then be a comment or blank.
fn coding_cookie(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes;
    for _ in 0..2 {
        let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = rest[..end].trim_ascii_start();
        if line.first() == Some(&b'#') {
            if let Some(name) = cookie_in(line) {
                return Some(name);
            }
        } else if !line.is_empty() {
            return None;
        }
        let is_crlf = rest[end..].starts_with(b"\r\n");
        rest = rest.get(end + 1 + usize::from(is_crlf)..)?;
    }
    None
}

// PEP 263: ^[ \t\f]*#.*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)
fn cookie_in(comment: &[u8]) -> Option<&[u8]> {
    for at in memchr::memmem::find_iter(comment, b"coding") {
        let after = &comment[at + b"coding".len()..];
        let Some((b':' | b'=', value)) = after.split_first() else { continue };
        let start = value.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
        let name = &value[start..];
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let length = name.iter().position(|byte| !is_part(byte)).unwrap_or(name.len());
        if length > 0 {
            return Some(&name[..length]);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_plain_utf8_without_copying() {
        let decoded = decode("x = 'é'\n".as_bytes());
        assert!(matches!(decoded.text, Cow::Borrowed("x = 'é'\n")));
        assert_eq!(decoded.problem, None);
    }

    #[test]
    fn drops_the_byte_order_mark() {
        assert_eq!(decode(b"\xef\xbb\xbfx\n").text, "x\n");
    }

    #[test]
    fn obeys_the_cookie_on_the_second_line() {
        let decoded = decode(b"#!/bin/python\n# -*- coding: latin-1 -*-\nx = '\xe9'\n");
        assert!(decoded.text.ends_with("x = 'é'\n"));
        assert_eq!(decoded.problem, None);
    }

    #[test]
    fn ignores_a_cookie_after_code() {
        let decoded = decode(b"x = 1\n# coding: latin-1\ny = '\xe9'\n");
        assert_eq!(decoded.problem.unwrap().line, 3);
    }

    #[test]
    fn reads_other_codecs_by_name() {
        assert_eq!(decode(b"# coding: koi8-r\n\xc1\n").text, "# coding: koi8-r\nа\n");
    }

    #[test]
    fn names_an_unknown_codec() {
        assert_eq!(decode(b"# coding: nonsense\n").problem.unwrap().message, "unknown encoding: nonsense");
    }

    #[test]
    fn says_that_utf16_is_not_python() {
        let decoded = decode(b"\xff\xfex\0\n\0");
        assert_eq!(decoded.text, "x\n");
        assert!(decoded.problem.unwrap().message.contains("UTF-16LE"));
    }
}
