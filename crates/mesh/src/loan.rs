//! The ownership word: one value, one owner, and loans while the owner does not need it.
//!
//! A shard's engine belongs to one thread, which uses it for a tick, then waits in the kernel for most of its time.
//! While it waits, another thread may have an exclusive turn. No thread ever waits for another, except for the owner,
//! which waits for the end of at most one loan. A borrower's loan is bounded by its batch limit.
//!
//! ```text
//!               resume: CAS                        try_borrow: CAS
//!            +----------------------- FREE ---------------------------+
//!            v                       ^    ^                           v
//!         RUNNING -------------------+    +------------------------ LENT
//!            ^     end of turn: store       end of loan: clear LENT   |
//!            |                                                        | resume while lent:
//!            |                                                        | set WANTED, spin
//!            |   the owner sees it: store     end of loan: clear LENT v
//!            +-------------------- WANTED <--------------------- LENT|WANTED
//! ```
//!
//! | word         | who may touch the value | who may change the word                          |
//! | ------------ | ----------------------- | ------------------------------------------------ |
//! | FREE         | nobody                  | anyone, by a compare-and-swap from exactly this  |
//! | RUNNING      | the owner               | the owner                                        |
//! | LENT         | the borrower            | the borrower clears LENT, the owner sets WANTED  |
//! | LENT\|WANTED | the borrower            | the borrower clears LENT                         |
//! | WANTED       | nobody                  | the owner: `try_borrow` wants exactly FREE, so   |
//! |              |                         | no new loan can start before the owner's turn    |
//!
//! Every way to the value begins with an acquiring read of the word that saw the releasing write by which the turn
//! before it ended: each turn sees all that the earlier ones did. The owner pays one compare-and-swap and one plain
//! store per tick, on a cache line that nobody else writes unless there is a loan.
//!
//! Turns and loans end when they are dropped. A panic ends the server's process before anything is unwound
//! (`process/fatal.rs`), so nobody there meets a value that a panic has left half changed. A program that goes on after
//! a panic may meet such a value: the word says FREE after an unwound turn or loan as after any other. A leaked turn
//! (`mem::forget`) is healed by the next `resume`; after a leaked loan, `resume` spins for ever. Both are sound.

use std::ops::{Deref, DerefMut};

use crate::pad::Padded;
use crate::step;
use crate::sync::{Arc, AtomicU8, MutPtr, Ordering, UnsafeCell, relax};

const FREE: u8 = 0;
const RUNNING: u8 = 1;
const LENT: u8 = 2;
/// A flag beside LENT; alone it means that the loan is over and the owner has not yet noticed.
const WANTED: u8 = 4;

/// Makes a value that one thread owns and others may borrow while the owner has put it down. It starts put down.
///
/// ```
/// let (mut owner, shared) = corecached_mesh::loanable(vec![1]);
/// {
///     let mut turn = owner.resume();
///     turn.push(2);
///     assert!(shared.try_borrow().is_none()); // the owner runs
/// }
/// let mut loan = shared.try_borrow().expect("nobody has it");
/// loan.push(3);
/// assert!(shared.try_borrow().is_none()); // lent already
/// drop(loan);
/// assert_eq!(*owner.resume(), [1, 2, 3]);
/// ```
pub fn loanable<T: Send>(value: T) -> (Owner<T>, Arc<Loanable<T>>) {
    let shared = Arc::new(Loanable {
        word: Padded(AtomicU8::new(FREE)),
        value: UnsafeCell::new(value),
    });
    let owner = Owner {
        shared: Arc::clone(&shared),
    };
    (owner, shared)
}

/// The value and its ownership word, shared by the owner and all borrowers.
#[derive(Debug)]
pub struct Loanable<T> {
    word: Padded<AtomicU8>,
    value: UnsafeCell<T>,
}

// SAFETY: threads that share a `&Loanable` reach the value only through `Turn` and `Loan`, of which at most one exists
// at any time (the state machine above), each ordered after the one before by acquire and release. So the value moves
// between threads but is never used by two at once: `T: Send` is what that takes, `T: Sync` is not needed.
unsafe impl<T: Send> Sync for Loanable<T> {}

impl<T: Send> Loanable<T> {
    /// An exclusive turn for another thread than the owner's; `None` if a thread has the value or the owner waits for
    /// it. Costs one compare-and-swap and never waits. End the loan soon: the owner may be spinning (see
    /// [`Loan::is_wanted`]).
    pub fn try_borrow(&self) -> Option<Loan<'_, T>> {
        step::point();
        self.word
            .compare_exchange(FREE, LENT, Ordering::Acquire, Ordering::Relaxed)
            .ok()?;
        Some(Loan {
            access: self.value.get_mut(),
            end: EndLoan(&self.word),
        })
    }

    /// Who has the value at this moment. For reports: it may be different before the caller looks at the answer.
    pub fn holder(&self) -> Holder {
        match self.word.load(Ordering::Relaxed) {
            FREE | WANTED => Holder::Nobody,
            RUNNING => Holder::Owner,
            _ => Holder::Borrower,
        }
    }
}

/// Who has a value that can be lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody: it may be borrowed, unless the owner waits for its turn.
    Nobody,
    /// Its owner, in a turn.
    Owner,
    /// Another thread, on a loan.
    Borrower,
}

/// The owner's side. There is one, it cannot be cloned, and it is moved to the thread that owns the value.
#[derive(Debug)]
pub struct Owner<T> {
    shared: Arc<Loanable<T>>,
}

impl<T: Send> Owner<T> {
    /// Begins the owner's turn. If the value is lent, forbids new loans and spins until the present one ends.
    pub fn resume(&mut self) -> Turn<'_, T> {
        let word = &self.shared.word;
        step::point();
        let was_free = word.compare_exchange(FREE, RUNNING, Ordering::Acquire, Ordering::Relaxed);
        // RUNNING here means that a turn was leaked: `&mut self` says that no turn is held. The owner takes the leaked
        // one up.
        if was_free.is_err_and(|found| found != RUNNING) {
            wait_for_loan(word);
        }
        Turn {
            access: self.shared.value.get_mut(),
            end: EndTurn(word),
        }
    }
}

impl<T> Owner<T> {
    /// The handle for borrowers.
    pub fn shared(&self) -> &Arc<Loanable<T>> {
        &self.shared
    }
}

/// The owner's way to RUNNING when the value is lent.
#[cold]
fn wait_for_loan(word: &AtomicU8) {
    step::point();
    let mut found = word.fetch_or(WANTED, Ordering::Acquire);
    let mut round = 0;
    // The fetch_or itself may have come after the loan's end; it has then turned FREE into WANTED.
    while found & LENT != 0 {
        relax(round);
        round = round.saturating_add(1);
        found = word.load(Ordering::Acquire);
    }
    // The word is WANTED: nobody but the owner changes it. The acquiring read above saw the end of the loan.
    debug_assert!(found == WANTED || found == FREE, "a loan ended as {found}");
    step::point();
    word.store(RUNNING, Ordering::Relaxed);
}

/// The owner's exclusive turn; ends (FREE) when dropped. Stays on its thread.
#[derive(Debug)]
pub struct Turn<'a, T> {
    // Fields are dropped in this order: the access is over before the word says so.
    access: MutPtr<T>,
    #[expect(dead_code, reason = "held for its Drop")]
    end: EndTurn<'a>,
}

/// A borrower's exclusive turn; ends (FREE, or WANTED if the owner waits) when dropped. Stays on its thread.
#[derive(Debug)]
pub struct Loan<'a, T> {
    // Fields are dropped in this order: the access is over before the word says so.
    access: MutPtr<T>,
    end: EndLoan<'a>,
}

impl<T> Loan<'_, T> {
    /// Whether the owner spins for this loan's end. The server's borrowers do not ask, since their loans are short by
    /// themselves; the model tests do, to say that the owner's turn comes before any other loan.
    pub fn is_wanted(&self) -> bool {
        self.end.0.load(Ordering::Relaxed) & WANTED != 0
    }
}

#[derive(Debug)]
struct EndTurn<'a>(&'a AtomicU8);

impl Drop for EndTurn<'_> {
    fn drop(&mut self) {
        step::point();
        // A plain store: while the word is RUNNING, only the owner changes it.
        debug_assert_eq!(self.0.load(Ordering::Relaxed), RUNNING);
        self.0.store(FREE, Ordering::Release);
    }
}

#[derive(Debug)]
struct EndLoan<'a>(&'a AtomicU8);

impl Drop for EndLoan<'_> {
    fn drop(&mut self) {
        step::point();
        // Not a store: the owner may set WANTED at this very moment, and that must survive.
        let before = self.0.fetch_and(!LENT, Ordering::Release);
        debug_assert!(before & LENT != 0, "a loan ended twice: {before}");
    }
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: a Turn exists only while the word is RUNNING, in which state nobody else reaches the value (table
        // above; the only constructor is `resume`, and `&mut Owner` allows one Turn at a time). The pointer comes from
        // the cell inside the Arc that the Owner, borrowed for 'a, keeps alive. `&self` excludes a `deref_mut`.
        self.access.with(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for Turn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; `&mut self` makes this the only reference given out by this Turn.
        self.access.with(|value| unsafe { &mut *value })
    }
}

impl<T> Deref for Loan<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: a Loan exists only between the CAS FREE -> LENT that made it and the clearing of LENT when it is
        // dropped; in LENT and LENT|WANTED nobody else reaches the value (table above). The pointer comes from the
        // cell inside the Loanable borrowed for 'a. `&self` excludes a `deref_mut`.
        self.access.with(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for Loan<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; `&mut self` makes this the only reference given out by this Loan.
        self.access.with(|value| unsafe { &mut *value })
    }
}
