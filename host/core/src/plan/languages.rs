//! The languages of Meta's templates. Source: Meta, "Message templates", "Supported languages". Meta adds to them from
//! time to time, so an unknown one is worth a warning and no more.

use super::{
    front::line_of,
    template::{Template, TemplateError},
};
use crate::domain::Mode;

#[rustfmt::skip]
const LANGUAGES: [&str; 111] = [
    "af", "ar", "ar_AE", "ar_EG", "ar_LB", "ar_MA", "ar_QA", "az", "be_BY", "bg", "bn", "bn_IN", "ca", "cs", "da",
    "de", "de_AT", "de_CH", "el", "en", "en_AE", "en_AU", "en_CA", "en_GB", "en_GH", "en_IE", "en_IN", "en_JM",
    "en_MY", "en_NZ", "en_QA", "en_SG", "en_UG", "en_US", "en_ZA", "es", "es_AR", "es_CL", "es_CO", "es_CR", "es_DO",
    "es_EC", "es_ES", "es_HN", "es_MX", "es_PA", "es_PE", "es_UY", "et", "fa", "fi", "fil", "fr", "fr_BE", "fr_CA",
    "fr_CH", "fr_CI", "fr_MA", "ga", "gu", "ha", "he", "hi", "hr", "hu", "id", "it", "ja", "ka", "kk", "kn", "ko",
    "ky_KG", "lo", "lt", "lv", "mk", "ml", "mr", "ms", "nb", "nl", "nl_BE", "pa", "pl", "prs_AF", "ps_AF", "pt_BR",
    "pt_PT", "ro", "ru", "rw_RW", "si_LK", "sk", "sl", "sq", "sr", "sv", "sw", "ta", "te", "th", "tr", "uk", "ur",
    "uz", "vi", "zh_CN", "zh_HK", "zh_TW", "zu",
];

/// A template whose language Meta does not know.
pub(super) fn unknown(template: &Template) -> Option<TemplateError> {
    let language = template.language.as_str();
    if template.mode == Mode::Text || LANGUAGES.into_iter().any(|known| known == language) {
        return None;
    }
    let root = |code: &str| code.split('_').next().unwrap_or_default().to_lowercase();
    let exact = LANGUAGES.into_iter().find(|known| known.eq_ignore_ascii_case(language));
    let near: Vec<&str> = match exact {
        Some(exact) => vec![exact],
        None => LANGUAGES.into_iter().filter(|known| root(known) == root(language)).collect(),
    };
    let help = match near.as_slice() {
        [] => "for those it has, see \"Supported languages\" in Meta's documentation of message templates"
            .to_owned(),
        [one] => format!("did you mean `{one}`?"),
        several => format!("Meta has {}", several.join(", ")),
    };
    Some(TemplateError {
        file: template.file.clone(),
        line: line_of(&template.source, "language"),
        column: 1,
        message: format!("Meta's templates have no language `{language}`"),
        help: Some(help),
    })
}

#[cfg(test)]
mod tests {
    use super::LANGUAGES;

    #[test]
    fn the_list_is_sorted_and_has_none_twice() {
        assert!(LANGUAGES.is_sorted_by(|a, b| a < b));
    }
}
