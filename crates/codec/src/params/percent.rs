//! Percent decoding of query strings and forms.

/// Undoes `%XX` and `+`; sequences that are none stay as they are, as browsers do it.
/// Gives nothing when the result is no UTF-8.
pub(super) fn decode(encoded: &str) -> Option<String> {
    let bytes = encoded.as_bytes();
    if memchr::memchr2(b'%', b'+', bytes).is_none() {
        return Some(encoded.to_owned());
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let (byte, len) = match bytes[i] {
            b'+' => (b' ', 1),
            b'%' => match bytes.get(i + 1).zip(bytes.get(i + 2)).and_then(hex) {
                Some(byte) => (byte, 3),
                None => (b'%', 1),
            },
            other => (other, 1),
        };
        decoded.push(byte);
        i += len;
    }
    String::from_utf8(decoded).ok()
}

fn hex((high, low): (&u8, &u8)) -> Option<u8> {
    let digit = |byte: u8| {
        (byte as char)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    Some(digit(*high)? * 16 + digit(*low)?)
}

/// The encoded names and values of a query string or form, in their order.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_and_plus_signs_are_undone() {
        for (encoded, text) in [
            ("a%20b%26c%3Dd%2F%C3%A9%2B", "a b&c=d/é+"),
            ("a+b", "a b"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("%e2%82%ac", "€"),
            ("é", "é"),
        ] {
            assert_eq!(decode(encoded).as_deref(), Some(text));
        }
        for bad in ["%ff", "%c3", "%C3%28", "%ed%a0%80"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
