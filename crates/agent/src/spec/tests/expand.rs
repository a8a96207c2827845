//! `$(VAR)`.

use crate::spec::expand::expand;

#[test]
fn known_variables_are_replaced_and_all_else_stays() {
    let cases = [
        ("$(A)", "1"),
        ("x$(A)y$(A)z", "x1y1z"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$$", "$"),
        ("$A", "$A"),
        ("$", "$"),
        ("$(A", "$(A"),
        ("$()", "$()"),
        ("$(A)$(B)", "1$(A)"),
        ("costs 5$", "costs 5$"),
        ("", ""),
        ("$(\u{fc}ber) $(A)", "$(\u{fc}ber) 1"),
    ];
    for (text, expected) in cases {
        let lookup = |name: &str| match name {
            "A" => Some("1".to_owned()),
            // What is put in is not looked at again.
            "B" => Some("$(A)".to_owned()),
            _ => None,
        };
        assert_eq!(expand(text, lookup), expected, "of {text:?}");
    }
}
