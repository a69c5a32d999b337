//! The methods that connections and clients share, blocking and async: written once, made for each of the four.
//!
//! ```text
//!   keyed_verbs!(self: [&mut self] [] []);               Connection
//!   keyed_verbs!(self: [&self] [async] [.await]);        tokio::Client
//! ```

/// Requests about one key, each a call of `self.call(&request)`.
macro_rules! keyed_verbs {
    ($me:ident: [$($receiver:tt)*] [$($asyncness:tt)?] [$($wait:tt)*]) => {
        /// The value of `key`.
        ///
        /// # Errors
        ///
        /// As [`Error`](crate::Error) says; a miss is no error.
        pub $($asyncness)? fn get(
            $($receiver)*, key: impl AsRef<[u8]>,
        ) -> $crate::Result<Option<$crate::Item>> {
            $me.call(&$crate::request::Get::new(&key)) $($wait)*
        }

        /// The value of `key` with its cas unique.
        ///
        /// # Errors
        ///
        /// As [`Error`](crate::Error) says; a miss is no error.
        pub $($asyncness)? fn gets(
            $($receiver)*, key: impl AsRef<[u8]>,
        ) -> $crate::Result<Option<$crate::Item>> {
            $me.call(&$crate::request::Get::new(&key).with_cas()) $($wait)*
        }

        /// The value of `key`, whose item lives for `ttl` from now on.
        ///
        /// # Errors
        ///
        /// As [`Error`](crate::Error) says; a miss is no error.
        pub $($asyncness)? fn get_and_touch(
            $($receiver)*, key: impl AsRef<[u8]>, ttl: impl Into<$crate::Ttl>,
        ) -> $crate::Result<Option<$crate::Item>> {
            $me.call(&$crate::request::Get::new(&key).touch(ttl)) $($wait)*
        }

        /// Stores a value.
        ///
        /// # Errors
        ///
        /// As [`Error`](crate::Error) says.
        pub $($asyncness)? fn set(
            $($receiver)*,
            key: impl AsRef<[u8]>,
            value: impl AsRef<[u8]>,
            ttl: impl Into<$crate::Ttl>,
        ) -> $crate::Result<()> {
            use $crate::request::{Store, StoreVerb};
            $me.call(&Store::new(StoreVerb::Set, &key, &value).ttl(ttl)) $($wait)*?;
            Ok(())
        }

        /// Stores a value if the key is not there; false if it is.
        ///
        /// # Errors
        ///
        /// As [`Error`](crate::Error) says.
        pub $($asyncness)? fn add(
            $($receiver)*,
            key: impl AsRef<[u8]>,
            value: impl AsRef<[u8]>,
            ttl: impl Into<$crate::Ttl>,
        ) -> $crate::Result<bool> {
            use $crate::request::{Store, StoreVerb};
            let stored = $me.call(&Store::new(StoreVerb::Add, &key, &value).ttl(ttl)) $($wait)*?;
            Ok(stored.is_stored())
        }

        /// Stores a value if the key is there; false if it is not.
        ///
        /// # Errors
        ///
        /// As [`Error`](crate::Error) says.
        pub $($asyncness)? fn replace(
            $($receiver)*,
            key: impl AsRef<[u8]>,
            value: impl AsRef<[u8]>,
            ttl: impl Into<$crate::Ttl>,
        ) -> $crate::Result<bool> {
            use $crate::request::{Store, StoreVerb};
            let stored = $me.call(&Store::new(StoreVerb::Replace, &key, &value).ttl(ttl)) $($wait)*?;
            Ok(stored.is_stored())
        }

        /// Adds bytes behind a value; false if there is no item. The item's time to live stays.
        ///
        /// # Errors
        ///
        /// As [`Error`](crate::Error) says.
        pub $($asyncness)? fn append(
            $($receiver)*, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>,
        ) -> $crate::Result<bool> {
            use $crate::request::{Store, StoreVerb};
            let stored = $me.call(&Store::new(StoreVerb::Append, &key, &value)) $($wait)*?;
            Ok(stored.is_stored())
        }

        /// Adds bytes before a value; false if there is no item. The item's time to live stays.
        ///
        /// # Errors
        ///
        /// As [`Error`](crate::Error) says.
        pub $($asyncness)? fn prepend(
            $($receiver)*, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>,
        ) -> $crate::Result<bool> {
            use $crate::request::{Store, StoreVerb};
            let stored = $me.call(&Store::new(StoreVerb::Prepend, &key, &value)) $($wait)*?;
            Ok(stored.is_stored())
        }

        /// Stores a value if no client has stored since `cas` was fetched.
        ///
        /// # Errors
        ///
        /// As [`Error`](crate::Error) says.
        pub $($asyncness)? fn cas(
            $($receiver)*,
            key: impl AsRef<[u8]>,
            value: impl AsRef<[u8]>,
            ttl: impl Into<$crate::Ttl>,
            cas: u64,
        ) -> $crate::Result<$crate::Stored> {
            $me.call(&$crate::request::Store::cas(&key, &value, cas).ttl(ttl)) $($wait)*
        }

        /// Deletes an item; false if it was not there.
        ///
        /// # Errors
        ///
        /// As [`Error`](crate::Error) says.
        pub $($asyncness)? fn delete(
            $($receiver)*, key: impl AsRef<[u8]>,
        ) -> $crate::Result<bool> {
            $me.call(&$crate::request::Delete::new(&key)) $($wait)*
        }

        /// Lets an item live for `ttl` from now; false if it is not there.
        ///
        /// # Errors
        ///
        /// As [`Error`](crate::Error) says.
        pub $($asyncness)? fn touch(
            $($receiver)*, key: impl AsRef<[u8]>, ttl: impl Into<$crate::Ttl>,
        ) -> $crate::Result<bool> {
            $me.call(&$crate::request::Touch::new(&key, ttl)) $($wait)*
        }

        /// Adds to a number, and returns the new number; `None` if there is no item. Wraps around at 2^64.
        ///
        /// # Errors
        ///
        /// As [`Error`](crate::Error) says.
        pub $($asyncness)? fn incr(
            $($receiver)*, key: impl AsRef<[u8]>, delta: u64,
        ) -> $crate::Result<Option<u64>> {
            $me.call(&$crate::request::Arith::incr(&key, delta)) $($wait)*
        }

        /// Subtracts from a number, and returns the new number, which is 0 at least; `None` if there is no item.
        ///
        /// # Errors
        ///
        /// As [`Error`](crate::Error) says.
        pub $($asyncness)? fn decr(
            $($receiver)*, key: impl AsRef<[u8]>, delta: u64,
        ) -> $crate::Result<Option<u64>> {
            $me.call(&$crate::request::Arith::decr(&key, delta)) $($wait)*
        }

        /// The value of `key`, or the right to fill the key within the time `patience`. See [`Lease`](crate::Lease).
        ///
        /// # Errors
        ///
        /// As [`Error`](crate::Error) says.
        pub $($asyncness)? fn lease(
            $($receiver)*, key: impl AsRef<[u8]>, patience: impl Into<$crate::Ttl>,
        ) -> $crate::Result<$crate::Lease> {
            $me.call(&$crate::request::TakeLease::new(&key, patience)) $($wait)*
        }

        /// Stores the value for which a lease was won, unless another client has stored or deleted meanwhile.
        ///
        /// # Errors
        ///
        /// As [`Error`](crate::Error) says.
        pub $($asyncness)? fn fill(
            $($receiver)*,
            key: impl AsRef<[u8]>,
            token: $crate::LeaseToken,
            value: impl AsRef<[u8]>,
            ttl: impl Into<$crate::Ttl>,
        ) -> $crate::Result<$crate::Stored> {
            $me.call(&$crate::request::Store::cas(&key, &value, token.cas()).ttl(ttl)) $($wait)*
        }

        /// Marks an item as stale: the item is still served, and one client is told to fetch it anew. False if there is
        /// no item.
        ///
        /// # Errors
        ///
        /// As [`Error`](crate::Error) says.
        pub $($asyncness)? fn invalidate(
            $($receiver)*, key: impl AsRef<[u8]>,
        ) -> $crate::Result<bool> {
            $me.call(&$crate::request::Invalidate::new(&key)) $($wait)*
        }
    };
}

pub(crate) use keyed_verbs;
