//! The parameters of a form, as the authentication endpoints take them.

use indexmap::IndexMap;
use indexmap::map::Entry;
use stoa_types::{Problem, Problems};

use super::percent;

/// Most parameters that one form may have.
const MAX_PARAMETERS: usize = 50;

/// The parameters of an `application/x-www-form-urlencoded` body. Nobody asks whether all were
/// used: unknown ones are ignored, as OAuth 2 wants it.
pub struct Form(IndexMap<String, String>);

impl Form {
    /// Reads a form.
    ///
    /// # Errors
    /// 400 `bad-request` when it is no UTF-8, holds U+0000, has a parameter twice or more than
    /// 50 of them. The message never repeats a value: it may be a secret.
    pub fn parse(body: &[u8]) -> Result<Self, Problems> {
        let malformed = |why: &'static str| {
            Problems::from(Problem::bad_request("The form cannot be read").details(why))
        };
        let text = std::str::from_utf8(body).map_err(|_| malformed("It is not UTF-8"))?;
        if percent::pairs(text).count() > MAX_PARAMETERS {
            return Err(malformed("It has too many parameters"));
        }
        let mut parameters = IndexMap::new();
        for (name, value) in percent::pairs(text) {
            let clean = |text: &str| {
                percent::decode(text)
                    .filter(|text| !text.contains('\0'))
                    .ok_or_else(|| malformed("It holds text that is not UTF-8, or U+0000"))
            };
            match parameters.entry(clean(name)?) {
                Entry::Vacant(free) => free.insert(clean(value)?),
                Entry::Occupied(_) => {
                    return Err(malformed("A parameter is given twice"));
                }
            };
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter; an empty one counts as given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of a parameter that must be there.
    ///
    /// # Errors
    /// 400 `bad-request`, which names the parameter.
    pub fn required(&self, name: &str) -> Result<&str, Problems> {
        self.get(name).ok_or_else(|| {
            Problem::bad_request("A required parameter is missing")
                .details(name)
                .into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_the_clients_are_read() {
        let form = Form::parse(
            b"client_id=abc&grant_type=password&username=a%40b.c&password=p%2Bq%20r+s&scope=user&x=",
        )
        .unwrap();
        assert_eq!(form.get("username"), Some("a@b.c"));
        assert_eq!(form.required("password"), Ok("p+q r s"));
        assert_eq!(form.get("x"), Some(""));
        assert_eq!(form.get("scopes"), None);
        let missing = form.required("client_secret").unwrap_err();
        assert_eq!(
            (missing.status(), &*missing.as_slice()[0].code),
            (400, "bad-request")
        );
        assert!(Form::parse(b"").unwrap().get("").is_none());
    }

    #[test]
    fn malformed_forms_are_bad_requests_that_repeat_no_value() {
        let many = "a=1&".repeat(10_000);
        for body in [
            &b"a=1&a=2"[..],
            b"secret=%ff",
            b"\xff=1",
            b"a=%00secret",
            b"a%00=1",
            many.as_bytes(),
        ] {
            let problem = Form::parse(body).err().unwrap();
            assert_eq!(
                (problem.status(), &*problem.as_slice()[0].code),
                (400, "bad-request")
            );
            assert!(!format!("{problem:?}").contains("secret"));
        }
    }
}
