//! Reads, and perhaps parses, every file of a list: `parse read|parse LIST`. The benchmark takes the time of the process.

use std::fs;

use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let is_parsing = arguments.next().as_deref() == Some("parse");
    let list = fs::read_to_string(arguments.next().expect("a list of files")).expect("the list is readable");
    let mut bytes = 0;
    let mut errors = 0;
    for path in list.lines() {
        let Ok(text) = fs::read_to_string(path) else { continue };
        bytes += text.len();
        if is_parsing {
            errors += parse_unchecked(&text, ParseOptions::from(Mode::Module)).errors().len();
        }
    }
    println!("{bytes} bytes, {errors} errors");
}
