//! The types of media that Meta takes, by its table of November 2025.

const KB: usize = 1024;
const MB: usize = 1024 * KB;

/// The largest of all.
pub const LARGEST: usize = 100 * MB;
/// The largest sticker that does not move.
const STATIC_STICKER: usize = 100 * KB;

/// MIME types, each with the type of message that it is sent as and the largest size in bytes.
const TYPES: &[(&str, &str, usize)] = &[
    ("audio/aac", "audio", 16 * MB),
    ("audio/mp4", "audio", 16 * MB),
    ("audio/mpeg", "audio", 16 * MB),
    ("audio/amr", "audio", 16 * MB),
    ("audio/ogg", "audio", 16 * MB),
    ("audio/opus", "audio", 16 * MB),
    ("application/vnd.ms-powerpoint", "document", LARGEST),
    ("application/msword", "document", LARGEST),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "document", LARGEST),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "document", LARGEST),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "document", LARGEST),
    ("application/pdf", "document", LARGEST),
    ("text/plain", "document", LARGEST),
    ("application/vnd.ms-excel", "document", LARGEST),
    ("image/jpeg", "image", 5 * MB),
    ("image/png", "image", 5 * MB),
    // Only animated ones may be as large.
    ("image/webp", "sticker", 500 * KB),
    ("video/mp4", "video", 16 * MB),
    ("video/3gpp", "video", 16 * MB),
];

/// A type of media.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kind {
    /// The MIME type, without parameters.
    pub mime_type: &'static str,
    /// The type of message that it is sent as.
    pub message: &'static str,
    /// The largest size, in bytes.
    pub limit: usize,
}

impl Kind {
    /// The largest size that this file may have, in bytes.
    pub fn limit_of(self, content: &[u8]) -> usize {
        if self.message == "sticker" && !is_animated(content) { STATIC_STICKER } else { self.limit }
    }
}

/// Whether a WebP file moves: a flag in its extended header.
fn is_animated(webp: &[u8]) -> bool {
    webp.get(12..16) == Some(b"VP8X") && webp.get(20).is_some_and(|flags| flags & 0x02 != 0)
}

/// The type that a MIME type names; what it says after a semicolon is left out.
pub fn kind(mime_type: &str) -> Option<Kind> {
    let essence = mime_type.split(';').next().unwrap_or_default().trim();
    let found = TYPES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(essence));
    found.map(|(mime_type, message, limit)| Kind { mime_type, message, limit: *limit })
}

/// All MIME types, as Graph lists them.
pub fn all() -> String {
    TYPES.iter().map(|(mime_type, ..)| *mime_type).collect::<Vec<_>>().join(", ")
}
