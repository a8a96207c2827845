//! Exact amounts of a resource: `250m`, `1Gi`, `1e3`, `0.5`.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const NANOS: i128 = 1_000_000_000;

/// An exact amount, kept as a whole number of billionths together with the family of suffixes it was written in.
///
/// Equality and order are by amount: `1` equals `1000m`. It is written in Kubernetes' canonical form: the largest suffix
/// of its family that leaves a whole number (`0.5` becomes `500m`, `1024Ki` becomes `1Mi`).
#[derive(Clone, Copy, Debug, Default)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

/// The family of suffixes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Format {
    /// `m`, ``, `k`, `M`, …
    #[default]
    DecimalSi,
    /// `Ki`, `Mi`, …
    BinarySi,
    /// `e3`, `E6`, …
    DecimalExponent,
}

/// Why a text is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseQuantityError {
    /// It has no number, or an unknown suffix.
    #[error("`{0}` is not a quantity: write a number with an optional suffix, such as 250m, 0.5, 1Gi or 1e3")]
    Malformed(String),
    /// It is beyond ±2^63.
    #[error("`{0}` is out of range: a quantity lies between -2^63 and 2^63")]
    OutOfRange(String),
}

/// No amount has more digits than this.
const DIGITS_MAX: usize = 40;

const BINARY: [(&str, u32); 6] = [
    ("Ki", 10),
    ("Mi", 20),
    ("Gi", 30),
    ("Ti", 40),
    ("Pi", 50),
    ("Ei", 60),
];
const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];

impl Quantity {
    /// A whole number.
    pub const fn from_units(units: i64) -> Self {
        Self {
            nanos: units as i128 * NANOS,
            format: Format::DecimalSi,
        }
    }

    /// A number of thousandths, as for CPU.
    pub const fn from_millis(millis: i64) -> Self {
        Self {
            nanos: millis as i128 * (NANOS / 1000),
            format: Format::DecimalSi,
        }
    }

    /// A number of bytes, written with binary suffixes.
    pub const fn from_bytes(bytes: i64) -> Self {
        Self {
            nanos: bytes as i128 * NANOS,
            format: Format::BinarySi,
        }
    }

    /// The whole number, rounded up; held at the limits of `i64`.
    pub fn units(&self) -> i64 {
        clamp(ceil_div(self.nanos, NANOS))
    }

    /// The number of thousandths, rounded up; held at the limits of `i64`.
    pub fn millis(&self) -> i64 {
        clamp(ceil_div(self.nanos, NANOS / 1000))
    }

    /// So many percent of it, rounded up to a whole number, or to thousandths.
    #[must_use]
    pub fn percent(&self, percent: u32, whole: bool) -> Self {
        let step = if whole { NANOS } else { NANOS / 1000 };
        let part = ceil_div(self.nanos.saturating_mul(i128::from(percent)), 100);
        Self {
            nanos: ceil_div(part, step) * step,
            format: self.format,
        }
    }

    /// How many times `other` it is, as near as a double comes; infinite where that is nothing.
    #[expect(clippy::cast_precision_loss, reason = "ratios are compared with a tolerance")]
    pub fn ratio(&self, other: &Self) -> f64 {
        self.nanos as f64 / other.nanos as f64
    }

    /// As a plain decimal number, such as `0.34`.
    pub fn decimal(&self) -> String {
        let (whole, rest) = (self.nanos / NANOS, (self.nanos % NANOS).abs());
        let sign = if self.nanos < 0 { "-" } else { "" };
        let text = format!("{sign}{}.{rest:09}", whole.abs());
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// True for nothing at all.
    pub const fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// True below nothing.
    pub const fn is_negative(&self) -> bool {
        self.nanos < 0
    }
}

fn ceil_div(value: i128, by: i128) -> i128 {
    value.div_euclid(by) + i128::from(value.rem_euclid(by) != 0)
}

fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || ParseQuantityError::Malformed(shown(text));
        let out_of_range = || ParseQuantityError::OutOfRange(shown(text));
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = unsigned
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(malformed());
        }
        if whole.trim_start_matches('0').len() > DIGITS_MAX {
            return Err(out_of_range());
        }
        if number.len() > DIGITS_MAX {
            return Err(malformed());
        }
        let (format, multiplier, exponent) = parse_suffix(suffix).ok_or_else(malformed)?;
        let digits = format!("{whole}{fraction}")
            .parse::<i128>()
            .map_err(|_| out_of_range())?;
        let places = i32::try_from(fraction.len()).map_err(|_| malformed())?;
        let scaled = digits.checked_mul(multiplier).ok_or_else(out_of_range)?;
        let nanos = scale(scaled, exponent - places + 9).ok_or_else(out_of_range)?;
        if nanos > i128::from(i64::MAX) * NANOS {
            return Err(out_of_range());
        }
        Ok(Self {
            nanos: if negative { -nanos } else { nanos },
            format,
        })
    }
}

/// A text as it is repeated in a message: its beginning where it is long.
fn shown(text: &str) -> String {
    if text.chars().count() <= DIGITS_MAX {
        return text.to_owned();
    }
    text.chars().take(DIGITS_MAX).chain(['…']).collect()
}

/// Family, factor and power of ten of a suffix.
fn parse_suffix(suffix: &str) -> Option<(Format, i128, i32)> {
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some((Format::DecimalSi, 1, *power));
    }
    if let Some((_, shift)) = BINARY.iter().find(|(name, _)| *name == suffix) {
        return Some((Format::BinarySi, 1 << shift, 0));
    }
    let exponent = suffix
        .strip_prefix(['e', 'E'])?
        .parse()
        .ok()
        .filter(|power: &i32| power.abs() <= 40)?;
    Some((Format::DecimalExponent, 1, exponent))
}

/// `value * 10^power`, rounded up (away from nothing) where it is finer than a billionth.
fn scale(value: i128, power: i32) -> Option<i128> {
    if power >= 0 {
        return if value == 0 {
            Some(0)
        } else {
            value.checked_mul(10i128.checked_pow(power.unsigned_abs())?)
        };
    }
    match 10i128.checked_pow(power.unsigned_abs()) {
        Some(divisor) => Some(ceil_div(value, divisor)),
        None => Some(i128::from(value > 0)),
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        if self.format == Format::BinarySi && self.nanos % NANOS == 0 && self.nanos.abs() >= 1024 * NANOS {
            let units = self.nanos / NANOS;
            let best = BINARY
                .iter()
                .rev()
                .find(|(_, shift)| units % (1i128 << shift) == 0);
            return match best {
                Some((suffix, shift)) => write!(f, "{}{suffix}", units >> shift),
                None => write!(f, "{units}"),
            };
        }
        let (suffix, power) = DECIMAL
            .iter()
            .rev()
            .find(|(_, power)| self.nanos % 10i128.pow((power + 9).unsigned_abs()) == 0)
            .unwrap_or(&DECIMAL[0]);
        let number = self.nanos / 10i128.pow((power + 9).unsigned_abs());
        match self.format {
            Format::DecimalExponent if *power != 0 => write!(f, "{number}e{power}"),
            Format::DecimalExponent => write!(f, "{number}"),
            Format::DecimalSi | Format::BinarySi => write!(f, "{number}{suffix}"),
        }
    }
}

macro_rules! arithmetic {
    ($trait:ident, $method:ident, $assign:ident, $assign_method:ident, $saturating:ident) => {
        impl std::ops::$trait for Quantity {
            type Output = Self;

            fn $method(self, other: Self) -> Self {
                let format = if self.nanos == 0 {
                    other.format
                } else {
                    self.format
                };
                Self {
                    nanos: self.nanos.$saturating(other.nanos),
                    format,
                }
            }
        }

        impl std::ops::$assign for Quantity {
            fn $assign_method(&mut self, other: Self) {
                *self = std::ops::$trait::$method(*self, other);
            }
        }
    };
}

arithmetic!(Add, add, AddAssign, add_assign, saturating_add);
arithmetic!(Sub, sub, SubAssign, sub_assign, saturating_sub);

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor)
    }
}

/// Takes a text or a number.
struct QuantityVisitor;

impl de::Visitor<'_> for QuantityVisitor {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity, such as 250m, 0.5, 1Gi or 1e3")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }
}

impl JsonSchema for Quantity {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"], "format": "quantity" })
    }
}
