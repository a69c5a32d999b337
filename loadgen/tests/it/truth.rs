//! The table in the README: `cargo test -p loadgen --profile checked --test it truth -- --ignored --nocapture`.

use crate::scenarios;

#[test]
#[ignore = "prints the table of the README; each row is a test of its own"]
fn truth() {
    println!("| server | truth | loadgen |\n| --- | --- | --- |");
    let mut wrong = 0;
    for scenario in scenarios::ALL {
        let row = scenario();
        wrong += row.wrong.len();
        let differs = if row.wrong.is_empty() {
            String::new()
        } else {
            format!(" **(wrong: {})**", row.wrong.join(", "))
        };
        println!("| {} | {} | {}{differs} |", row.server, row.truth, row.says);
    }
    assert_eq!(wrong, 0, "loadgen does not tell the truth");
}
