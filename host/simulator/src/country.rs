//! The country of a phone number.

use std::{collections::HashMap, sync::LazyLock};

/// What ISO 3166 leaves to its users, and CLDR uses for "unknown".
const UNKNOWN: &str = "ZZ";
/// Digits of the longest prefix: +1 and an area code.
const LONGEST: usize = 4;

/// Countries with the prefixes of their numbers (ITU-T E.164; for +1, area codes). A territory without a prefix of its own is
/// part of its main country here.
const PREFIXES: &str = "\
    AC 247 AD 376 AE 971 AF 93 AG 1268 AI 1264 AL 355 AM 374 AO 244 AR 54 AS 1684 AT 43 AU 61 AW 297 AZ \
    994 BA 387 BB 1246 BD 880 BE 32 BF 226 BG 359 BH 973 BI 257 BJ 229 BM 1441 BN 673 BO 591 BR 55 BS \
    1242 BT 975 BW 267 BY 375 BZ 501 CA 1204 1226 1236 1249 1250 1257 1263 1289 1306 1343 1354 1365 1367 \
    1368 1382 1403 1416 1418 1428 1431 1437 1438 1450 1468 1474 1506 1514 1519 1548 1579 1581 1584 1587 \
    1600 1604 1613 1622 1633 1639 1647 1672 1683 1705 1709 1742 1753 1778 1780 1782 1807 1819 1825 1867 \
    1873 1879 1902 1905 1942 CD 243 CF 236 CG 242 CH 41 CI 225 CK 682 CL 56 CM 237 CN 86 CO 57 CR 506 CU \
    53 CV 238 CW 599 CY 357 CZ 420 DE 49 DJ 253 DK 45 DM 1767 DO 1809 1829 1849 DZ 213 EC 593 EE 372 EG \
    20 ER 291 ES 34 ET 251 FI 358 FJ 679 FK 500 FM 691 FO 298 FR 33 GA 241 GB 44 GD 1473 GE 995 GF 594 \
    GH 233 GI 350 GL 299 GM 220 GN 224 GP 590 GQ 240 GR 30 GT 502 GU 1671 GW 245 GY 592 HK 852 HN 504 HR \
    385 HT 509 HU 36 ID 62 IE 353 IL 972 IN 91 IO 246 IQ 964 IR 98 IS 354 IT 39 JM 1658 1876 JO 962 JP \
    81 KE 254 KG 996 KH 855 KI 686 KM 269 KN 1869 KP 850 KR 82 KW 965 KY 1345 KZ 76 77 LA 856 LB 961 LC \
    1758 LI 423 LK 94 LR 231 LS 266 LT 370 LU 352 LV 371 LY 218 MA 212 MC 377 MD 373 ME 382 MG 261 MH \
    692 MK 389 ML 223 MM 95 MN 976 MO 853 MP 1670 MQ 596 MR 222 MS 1664 MT 356 MU 230 MV 960 MW 265 MX \
    52 MY 60 MZ 258 NA 264 NC 687 NE 227 NF 672 NG 234 NI 505 NL 31 NO 47 NP 977 NR 674 NU 683 NZ 64 OM \
    968 PA 507 PE 51 PF 689 PG 675 PH 63 PK 92 PL 48 PM 508 PR 1787 1939 PS 970 PT 351 PW 680 PY 595 QA \
    974 RE 262 RO 40 RS 381 RU 7 RW 250 SA 966 SB 677 SC 248 SD 249 SE 46 SG 65 SH 290 SI 386 SK 421 SL \
    232 SM 378 SN 221 SO 252 SR 597 SS 211 ST 239 SV 503 SX 1721 SY 963 SZ 268 TC 1649 TD 235 TG 228 TH \
    66 TJ 992 TK 690 TL 670 TM 993 TN 216 TO 676 TR 90 TT 1868 TV 688 TW 886 TZ 255 UA 380 UG 256 US 1 \
    UY 598 UZ 998 VC 1784 VE 58 VG 1284 VI 1340 VN 84 VU 678 WF 681 WS 685 XK 383 YE 967 ZA 27 ZM 260 ZW \
    263";

/// The two letters of the country that gives out a number, `ZZ` where no country is known for it.
pub fn country(digits: &str) -> &'static str {
    static BY_PREFIX: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
        let mut country = UNKNOWN;
        let mut by_prefix = HashMap::new();
        for word in PREFIXES.split(' ') {
            if word.starts_with(|c: char| c.is_ascii_digit()) {
                by_prefix.insert(word, country);
            } else {
                country = word;
            }
        }
        by_prefix
    });
    let prefixes = (1..=LONGEST).rev().filter_map(|length| digits.get(..length));
    prefixes.into_iter().find_map(|prefix| BY_PREFIX.get(prefix).copied()).unwrap_or(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use phonenumber::{country::Id, metadata::DATABASE};

    use super::*;

    #[test]
    fn numbers_have_the_country_that_gives_them_out() {
        let numbers = [
            ("16505551234", "US"),
            ("15550783881", "US"),
            ("16137827274", "CA"),
            ("13459492311", "KY"),
            ("263771234567", "ZW"),
            ("5541988887777", "BR"),
            ("4915112345678", "DE"),
            ("77011234567", "KZ"),
            ("79161234567", "RU"),
            ("447400123456", "GB"),
            ("918888888888", "IN"),
            // Satellite phones, a code that nobody has, and no number at all.
            ("870773111632", "ZZ"),
            ("9991234567", "ZZ"),
            ("0123456", "ZZ"),
            ("", "ZZ"),
        ];
        for (number, expected) in numbers {
            assert_eq!(country(number), expected, "{number}");
        }
    }

    #[test]
    fn the_table_is_libphonenumbers() {
        for code in 1..1000_u16 {
            let main = DATABASE.region(&code).map(|regions| regions[0]).filter(|region| *region != "001");
            // Of a code that is shared, what follows it tells.
            let number = if code == 7 { "79".to_owned() } else { code.to_string() };
            if main.is_some() {
                assert_eq!(Some(country(&number)), main, "{code}");
            }
        }
        for area in 200..1000 {
            let number = format!("1{area}2345678");
            let known =
                phonenumber::parse(None, format!("+{number}")).ok().and_then(|number| number.country().id());
            if let Some(known) = known {
                assert_eq!(country(&number).parse(), Ok::<Id, _>(known), "{number}");
            }
        }
    }
}
