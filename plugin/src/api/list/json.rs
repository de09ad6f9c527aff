//! The items of a list in JSON.
//!
//! A parser that reads byte by byte is twice as slow as one that has a slice to read from. So it is
//! parsed out of a buffer: what is cut off at its end is begun again when there is more.

use std::io::Read;

use serde::de::{DeserializeOwned, IgnoredAny};

use super::ItemsError;
use super::buffer::Buffer;

/// What is kept of the `items` of a list: an object that may have other fields, which are skipped. `null`
/// is none.
///
/// # Errors
/// When reading fails, or what is read is no such list.
pub(super) fn read<T: DeserializeOwned, U>(
    reader: impl Read,
    keep: impl FnMut(T) -> U,
) -> Result<Vec<U>, ItemsError> {
    Text(Buffer::new(reader)).list(keep)
}

/// JSON of which a piece is in the buffer.
struct Text<R>(Buffer<R>);

impl<R: Read> Text<R> {
    fn list<T: DeserializeOwned, U>(mut self, mut keep: impl FnMut(T) -> U) -> Result<Vec<U>, ItemsError> {
        let mut items = None;
        self.expect(b'{')?;
        loop {
            let field: String = self.value()?;
            self.expect(b':')?;
            if field == "items" && self.peek()? == Some(b'[') {
                items = Some(self.array(&mut keep)?);
            } else if field == "items" {
                items = Some(self.value::<Option<Vec<T>>>()?.into_iter().flatten().map(&mut keep).collect());
            } else {
                self.value::<IgnoredAny>()?;
            }
            if !self.is_followed(b'}')? {
                break;
            }
        }
        match self.peek()? {
            None => items.ok_or(ItemsError::Malformed),
            Some(_) => Err(ItemsError::Malformed),
        }
    }

    fn array<T: DeserializeOwned, U>(&mut self, mut keep: impl FnMut(T) -> U) -> Result<Vec<U>, ItemsError> {
        let mut items = Vec::new();
        self.expect(b'[')?;
        if self.peek()? == Some(b']') {
            self.expect(b']')?;
            return Ok(items);
        }
        loop {
            items.push(keep(self.value()?));
            if !self.is_followed(b']')? {
                return Ok(items);
            }
        }
    }

    /// One value, and what it takes of the answer until it is whole.
    fn value<T: DeserializeOwned>(&mut self) -> Result<T, ItemsError> {
        loop {
            let rest = self.0.rest();
            let mut values = serde_json::Deserializer::from_slice(rest).into_iter();
            let value = values.next();
            let end = values.byte_offset();
            match value {
                // A number that ends with the buffer may go on.
                Some(Ok(value)) if end < rest.len() || self.0.is_whole() => {
                    self.0.advance(end);
                    return Ok(value);
                }
                Some(Err(error)) if !error.is_eof() => return Err(ItemsError::Malformed),
                _ if self.0.is_whole() => return Err(ItemsError::Malformed),
                _ => self.0.more()?,
            }
        }
    }

    /// Whether a comma follows, and not this.
    fn is_followed(&mut self, by: u8) -> Result<bool, ItemsError> {
        if self.peek()? == Some(b',') {
            self.0.advance(1);
            return Ok(true);
        }
        self.expect(by)?;
        Ok(false)
    }

    fn expect(&mut self, byte: u8) -> Result<(), ItemsError> {
        if self.peek()? != Some(byte) {
            return Err(ItemsError::Malformed);
        }
        self.0.advance(1);
        Ok(())
    }

    /// What comes after white space; `None` at the end.
    fn peek(&mut self) -> Result<Option<u8>, ItemsError> {
        loop {
            match self.0.rest().first() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.0.advance(1),
                Some(byte) => return Ok(Some(*byte)),
                None if self.0.is_whole() => return Ok(None),
                None => self.0.more()?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Item {
        name: String,
    }

    const LIST: &str = r#" {"kind": "List", "metadata": {"n": [1, 22]}, "count": 1234, "items": [
        {"name": "a", "more": "\"]}"}, {"more": null, "name": "Ü\u00fc\\"}] , "last": {}} "#;

    fn names(json: &str, piece: usize) -> Result<Vec<String>, ItemsError> {
        Text(Buffer::by(piece, json.as_bytes())).list(|item: Item| item.name)
    }

    #[test]
    fn a_list_may_be_cut_anywhere() {
        for piece in 1..=LIST.len() + 1 {
            assert_eq!(names(LIST, piece).unwrap(), ["a", "Üü\\"], "{piece}");
        }
    }

    #[test]
    fn no_items_are_none() {
        for json in [r#"{"items": []}"#, r#"{"items":null,"kind":"x"}"#, r#"{"kind":"x","items":[ ] }"#] {
            for piece in [1, 3, 1000] {
                assert!(names(json, piece).unwrap().is_empty(), "{json}");
            }
        }
    }

    #[test]
    fn what_is_no_list_is_malformed() {
        for json in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"kind": "x"}"#,
            r#"{"items": 1}"#,
            r#"{"items": {}}"#,
            r#"{"items": [1]}"#,
            r#"{"items": [{"name": "a"},]}"#,
            r#"{"items": [{"name": "a"} {"name": "b"}]}"#,
            r#"{"items": [{"name": "a"}"#,
            r#"{"items": [{"name": "a"}]"#,
            r#"{"items": [{"name": "a"#,
            r#"{"items": []} x"#,
            r#"{"items" []}"#,
            r#"{items: []}"#,
            "{\"items\": [{\"name\": \"\u{1}\"}]}",
        ] {
            for piece in [1, 7, 1000] {
                assert!(matches!(names(json, piece), Err(ItemsError::Malformed)), "{json} by {piece}");
            }
        }
    }

    #[test]
    fn a_connection_that_breaks_is_no_malformed_list() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        let begun = br#"{"items": [{"name": "a"}, {"na"#;
        let broken = Text(Buffer::by(8, begun.chain(Broken))).list(|item: Item| item);
        assert!(
            matches!(broken, Err(ItemsError::Cut(error)) if error.kind() == io::ErrorKind::ConnectionReset)
        );
    }
}
