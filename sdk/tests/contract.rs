//! The contract of 1.0 is frozen.

#[test]
fn the_contract_is_as_it_was() {
    assert_eq!(
        include_str!("../wit/plugin.wit"),
        include_str!("../frozen-1.0.0.wit"),
        "hookswitch:plugin@1.0.0 is frozen; what is new goes into 1.1"
    );
}
