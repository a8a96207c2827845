//! When to renew a certificate.

use skep_api::Time;

use crate::Validity;

/// The part of its life after which a certificate is renewed: not all at once, and in time for many tries.
const RENEW_BETWEEN: std::ops::Range<f64> = 0.5..0.8;

/// When to renew a certificate; `random` in 0..1 spreads the machines over 50 % to 80 % of its life.
pub fn renew_at(validity: Validity, random: f64) -> Time {
    let part = RENEW_BETWEEN.start + (RENEW_BETWEEN.end - RENEW_BETWEEN.start) * random.clamp(0.0, 1.0);
    let life = validity.not_after.since(validity.not_before);
    validity.not_before.plus(life.mul_f64(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_between_half_and_four_fifths_of_its_life() {
        let validity = Validity {
            not_before: Time::from_secs(1000),
            not_after: Time::from_secs(2000),
        };
        assert_eq!(renew_at(validity, 0.0), Time::from_secs(1500));
        assert_eq!(renew_at(validity, 0.5), Time::from_secs(1650));
        assert_eq!(renew_at(validity, 1.0), Time::from_secs(1800));
    }
}
