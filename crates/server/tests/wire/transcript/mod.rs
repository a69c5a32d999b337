//! Transcripts: text files of what a client sends and what must come back.
//!
//! ```text
//! ! server -A -I 2m        options of the server (first lines of a file)
//! ! passwords a:b c:d      lines of a password file: {passwords} in options, and MEMCACHED_SASL_PWDB
//! ! ways whole bytes       ways of playing that make sense (default: all three)
//! ! skip-old pipelined     ways that memcached before 1.6.41 does not stand
//! # a comment
//! > set a 5 0 {x*1000}     send the text and \r\n
//! >- get a                 send the text only
//! b> get k=a               a packet of the binary protocol, b< and b<old likewise: packet.rs
//! < STORED                 the reply must be the text and \r\n
//! <old ERROR               ...instead of the `<` lines just above, from memcached before 1.6.41
//! ! sleep 1.5              seconds
//! ! connect b              go on with connection `b`, opened when it is new or closed
//! ! closed                 the server must close the connection now, without another byte
//! ! exit 0                 the server must end with this status
//! ! differ one two         two captured numbers are not equal
//! ```
//!
//! `{30-}` is a number up to 30 and not much less, such as seconds running out, `{2+}` one of 2 or more.
//! In texts `\r \n \t \0 \\ \{ \xHH` are escapes and `{x*1000}` repeats. In replies `{number}` is any
//! number, `{any}` the rest of a line, and any other `{name}` captures a number, to be
//! compared and sent (`{name}` again) later. `{now+5}` sends the Unix time in 5 seconds.
//!
//! At the end every open connection must answer `mn`, or NOOP if it is binary, with nothing left over before it.

mod packet;
mod parse;
mod play;
mod text;

pub(crate) use parse::Transcript;
pub(crate) use play::play;
