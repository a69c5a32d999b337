//! One list of counters, from which everything that has to know all of them is made.
//!
//! ```text
//! counters! { pub struct S { count hits, level items, largest age, latest chunk_size } }
//!
//!              S::reset      sum += other                   S::each
//! count        0             sum                            (name, value)
//! level        stays         sum
//! largest      0             the larger one
//! latest       stays         the other's
//! ```

/// Declares a struct of `u64` counters of four kinds: the number of events (`count`), a present amount (`level`), the
/// largest of several values (`largest`), and the last of several values (`latest`). The struct gets `reset`, `+=` and
/// `each`, which names every counter. Another type than `u64` may stand behind a colon.
///
/// ```
/// corecached_engine::counters! {
///     /// What a door has seen.
///     #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
///     pub struct Door {
///         /// People who came in.
///         count entered,
///         /// People inside.
///         level inside,
///     }
/// }
/// let mut sum = Door { entered: 3, inside: 2 };
/// sum += &Door { entered: 1, inside: 1 };
/// assert_eq!(sum, Door { entered: 4, inside: 3 });
/// sum.reset();
/// assert_eq!(sum, Door { entered: 0, inside: 3 });
/// let mut shown = Vec::new();
/// sum.each(|name, value| shown.push((name, value)));
/// assert_eq!(shown, [("entered", 0), ("inside", 3)]);
/// ```
#[macro_export]
macro_rules! counters {
    (
        $(#[$of_struct:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$of_counter:meta])* $kind:ident $counter:ident $(: $type:ty)?),+ $(,)?
        }
    ) => {
        $(#[$of_struct])*
        $visibility struct $name {
            $($(#[$of_counter])* $visibility $counter: $crate::counters!(@type $($type)?),)+
        }

        #[allow(
            dead_code,
            clippy::useless_conversion,
            reason = "not every list of counters is reset and shown, and most are of 64 bits"
        )]
        impl $name {
            /// Resets counts and largest values to 0; levels and latest values stay.
            $visibility fn reset(&mut self) {
                $($crate::counters!(@reset $kind self.$counter);)+
            }

            /// Calls `visit` with the name and the value of each counter, in the order of the list.
            $visibility fn each(&self, mut visit: impl FnMut(&'static str, u64)) {
                $(visit(stringify!($counter), self.$counter.into());)+
            }
        }

        impl ::std::ops::AddAssign<&$name> for $name {
            fn add_assign(&mut self, other: &$name) {
                $($crate::counters!(@add $kind self.$counter, other.$counter);)+
            }
        }
    };
    (@type) => { u64 };
    (@type $type:ty) => { $type };
    (@reset count $counter:expr) => { $counter = 0 };
    (@reset level $counter:expr) => {};
    (@reset largest $counter:expr) => { $counter = 0 };
    (@reset latest $counter:expr) => {};
    (@add count $sum:expr, $more:expr) => { $sum += $more };
    (@add level $sum:expr, $more:expr) => { $sum += $more };
    (@add largest $sum:expr, $more:expr) => { $sum = $sum.max($more) };
    (@add latest $sum:expr, $more:expr) => { $sum = $more };
}
