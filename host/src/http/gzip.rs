//! Compressed bodies: `Content-Encoding: gzip` (RFC 9110, 8.4). They are unpacked as they come in, and no further than
//! the limit of the body.

use std::io::{ErrorKind, Write};

use axum::http::{HeaderMap, StatusCode, header};
use flate2::write::MultiGzDecoder;

use super::Problem;

/// Whether the body is compressed with gzip.
///
/// # Errors
/// 415 for another encoding; the answer names gzip in `Accept-Encoding`.
pub fn is_gzip(headers: &HeaderMap) -> Result<bool, Problem> {
    let values = headers.get_all(header::CONTENT_ENCODING).iter().map(|value| value.to_str().unwrap_or("?"));
    let codings = values.flat_map(|value| value.split(',')).map(str::trim);
    let codings: Vec<&str> =
        codings.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity")).collect();
    match codings.as_slice() {
        [] => Ok(false),
        [coding] if ["gzip", "x-gzip"].iter().any(|gzip| coding.eq_ignore_ascii_case(gzip)) => Ok(true),
        other => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            UNSUPPORTED,
            format!("The content encoding must be gzip or absent, not {}.", other.join(", ")),
        )),
    }
}

/// The code of the refusal of an encoding.
pub const UNSUPPORTED: &str = "unsupported_encoding";

/// A body that is being unpacked.
pub struct Unpacker(MultiGzDecoder<Vec<u8>>);

impl Unpacker {
    pub fn new() -> Unpacker {
        Unpacker(MultiGzDecoder::new(Vec::new()))
    }

    /// Unpacks some of what came in, and returns how many bytes of it: about 32 KiB more come out at a time, so that
    /// the caller can stop.
    pub fn take(&mut self, packed: &[u8]) -> Result<usize, Problem> {
        match self.0.write(packed) {
            Ok(0) if !packed.is_empty() => Err(broken("it is corrupt")),
            Ok(taken) => Ok(taken),
            Err(error) => Err(refused(&error)),
        }
    }

    /// What has come out.
    pub fn unpacked(&self) -> &[u8] {
        self.0.get_ref()
    }

    /// All that came out, once all has come in.
    pub fn finish(self) -> Result<Vec<u8>, Problem> {
        self.0.finish().map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => refused(&error),
            // The checksum is wrong, or a part of it is missing.
            _ => broken("it is corrupt or incomplete"),
        })
    }
}

fn refused(error: &std::io::Error) -> Problem {
    broken(match error.kind() {
        ErrorKind::UnexpectedEof => "it ends before it is complete",
        _ => "it is corrupt",
    })
}

fn broken(why: &str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid_encoding",
        format!("The body is not valid gzip, as Content-Encoding says it is: {why}."),
    )
}
