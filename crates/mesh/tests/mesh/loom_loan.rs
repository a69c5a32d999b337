//! The ownership word: every interleaving of an owner and its borrowers. That no two are in the value at once is
//! checked by loom's cell, which panics on any two accesses that are not ordered.

use corecached_mesh::{Loanable, loanable};
use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;

/// The counters that the turns advance. They are no atomics: a lost update would show.
#[derive(Default)]
struct Turns {
    owner: u32,
    borrowers: u32,
}

fn borrow_once(shared: &Loanable<Turns>) -> u32 {
    match shared.try_borrow() {
        Some(mut loan) => {
            loan.borrowers += 1;
            1
        }
        None => 0,
    }
}

#[test]
fn one_borrower_and_the_owner_exclude_each_other() {
    loom::model(|| {
        let (mut owner, shared) = loanable(Turns::default());
        let borrower = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || borrow_once(&shared) + borrow_once(&shared))
        };
        for _ in 0..2 {
            owner.resume().owner += 1;
        }
        let loans = borrower.join().unwrap();

        let turn = owner.resume();
        assert_eq!((turn.owner, turn.borrowers), (2, loans));
        drop(turn);
        // WANTED did not stick: a new loan can start.
        assert_eq!(borrow_once(&shared), 1);
    });
}

#[test]
fn two_borrowers_and_the_owner_exclude_each_other() {
    let mut model = Builder::new();
    model.preemption_bound = Some(4);
    model.check(|| {
        let (mut owner, shared) = loanable(Turns::default());
        let borrowers: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || borrow_once(&shared))
            })
            .collect();
        owner.resume().owner += 1;
        let loans: u32 = borrowers
            .into_iter()
            .map(|borrower| borrower.join().unwrap())
            .sum();

        let turn = owner.resume();
        assert_eq!((turn.owner, turn.borrowers), (1, loans));
        drop(turn);
        assert_eq!(borrow_once(&shared), 1);
    });
}

#[test]
fn a_wanted_value_goes_to_the_owner_first() {
    loom::model(|| {
        let (mut owner, shared) = loanable(Turns::default());
        let borrower = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let Some(loan) = shared.try_borrow() else {
                    return;
                };
                let owner_turns = loan.owner;
                let wanted = loan.is_wanted();
                drop(loan);
                if let (true, Some(next)) = (wanted, shared.try_borrow()) {
                    assert!(
                        next.owner > owner_turns,
                        "a loan began before the waiting owner had its turn"
                    );
                }
            })
        };
        owner.resume().owner += 1;
        borrower.join().unwrap();
    });
}

#[test]
fn the_value_may_outlive_its_owner() {
    loom::model(|| {
        let (mut owner, shared) = loanable(Turns::default());
        let thread = thread::spawn(move || owner.resume().owner += 1);
        let loans = borrow_once(&shared);
        thread.join().unwrap();

        let last = shared
            .try_borrow()
            .expect("the owner is gone and parked it");
        assert_eq!((last.owner, last.borrowers), (1, loans));
    });
}
